"""Optimisation: what the one training loop reads."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from physiome.config.base import Spec

Beta = Annotated[float, Field(ge=0.0, lt=1.0)]


class TrainSpec(Spec):
    """AdamW with a per-epoch cosine decay to zero."""

    epochs: PositiveInt
    batch: PositiveInt
    micro_batch: PositiveInt | None = None  # null: the whole batch at once; else accumulate
    learning_rate: PositiveFloat
    scale_with_batch: bool = False  # true: learning_rate x batch / 256 (the published code's rule)
    weight_decay: NonNegativeFloat = 0.01
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    clip_norm: PositiveFloat | None = None
    precision: Literal["auto", "fp32", "bf16"] = "auto"  # auto: bf16 on a GPU, fp32 on a CPU
    seed: int = 0

    @model_validator(mode="after")
    def _micro_batch_divides(self) -> "TrainSpec":
        if self.micro_batch is not None and self.batch % self.micro_batch:
            raise ValueError(f"micro_batch {self.micro_batch} does not divide batch {self.batch}")
        if self.batch < 2 or self.micro_batch == 1:
            raise ValueError("contrast and batch-norm need at least 2 segments at a time")
        return self

    @property
    def peak_rate(self) -> float:
        """Learning rate at the start of the cosine."""
        return self.learning_rate * (self.batch / 256 if self.scale_with_batch else 1.0)
