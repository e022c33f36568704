"""PhysioME: multimodal self-supervised learning for physiological recordings that lose channels."""

__version__ = "0.1.0"
