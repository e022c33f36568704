"""Trained models as a folder or one file that can be handed on."""
