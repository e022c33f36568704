"""Scoring recordings of one's own with trained models."""
