"""What embeddings depend on besides the weights: enough to build the method that made them."""

from typing import Any

from physiome.config.base import Spec
from physiome.config.encoder import EncoderSettings
from physiome.config.window import Window


class EmbedSettings(Spec):
    """Settings of the step `embed`."""

    dataset: str
    name: str
    base: str  # the registered method; differs from the name for variants
    modalities: tuple[str, ...]
    classes: tuple[str, ...]
    window: Window
    encoder: EncoderSettings | None = None
    method: dict[str, Any]
    untrained: bool = False  # freshly initialised, its parents included
    subsets: tuple[str, ...] | None = None  # null: all
    batch: int
