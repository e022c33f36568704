"""What the steps that make and use models depend on: each job's settings, written and read here."""

from typing import Any, Literal, Self

from pydantic import Field, PositiveInt

from physiome.config.base import Spec
from physiome.config.encoder import EncoderSettings
from physiome.config.training import TrainSpec
from physiome.config.window import Window
from physiome.files import canonical_json


class JobSettings(Spec):
    """What a model sees."""

    dataset: str
    modalities: tuple[str, ...]
    window: Window
    leads: dict[str, PositiveInt] = Field(default_factory=dict)  # of modalities that have several

    def text(self) -> str:
        """As JSON, a rule's `--settings`, without defaults that nobody set: they rerun nothing."""
        given = {k: v for k, v in self.plain().items() if k in self.model_fields_set}
        return canonical_json(given)


class PretrainSettings(JobSettings):
    """Settings of the step `pretrain`."""

    encoder: EncoderSettings
    pretrain: TrainSpec


class MethodSettings(JobSettings):
    """Enough to build a method."""

    name: str
    base: str  # the registered method; differs from the name for variants
    encoder: EncoderSettings | None = None
    method: dict[str, Any]  # its own section of the configuration
    untrained: bool = False  # freshly initialised, its parents included
    # Subsets that the data set is scored under, of which dedicated methods hold a model; null: all
    scored: tuple[str, ...] | None = None
    classes: tuple[str, ...] = ()  # by index; a training names them if it learns from labels


class TrainSettings(MethodSettings):
    """Settings of the step `train`."""

    train: TrainSpec
    takes: bool = False  # a variant: the weights of `base`, as they are


class EmbedSettings(MethodSettings):
    """Settings of the step `embed`."""

    subsets: tuple[str, ...] | None = None  # null: all that are scored
    batch: PositiveInt = 256  # windows at a time: it is given beside these, and reruns nothing
    precision: Literal["fp32", "auto", "bf16"] = "fp32"

    def at_once(self, windows: int | None) -> Self:
        """The same with another batch; None: as it is."""
        return self if windows is None else self.model_copy(update={"batch": windows})
