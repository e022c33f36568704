"""Optimisation: what the one training loop reads."""

import math
from typing import Annotated, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from physiome.config.base import Spec

Beta = Annotated[float, Field(ge=0.0, lt=1.0)]


class TrainSpec(Spec):
    """Optimiser, schedule of the learning rate per epoch, and batches."""

    epochs: NonNegativeInt  # 0: freshly initialised weights, for controls
    # Epochs are added until this many steps are taken; the schedule runs over all of them
    least_steps: NonNegativeInt = 0
    batch: PositiveInt
    micro_batch: PositiveInt | None = None  # null: the whole batch at once; else accumulate
    learning_rate: PositiveFloat
    scale_with_batch: bool = False  # true: learning_rate x batch / 256 (the published code's rule)
    # adam: weight decay is added to the gradient, as in torch's Adam
    optimizer: Literal["adamw", "adam", "amsgrad"] = "adamw"
    schedule: Literal["cosine", "constant", "polynomial"] = "cosine"
    final_rate: NonNegativeFloat = 0.0  # where the schedule ends, if it falls
    warmup: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0  # share of the epochs with a rising rate
    weight_decay: NonNegativeFloat = 0.01
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    clip_norm: PositiveFloat | None = None
    # Leads of a modality that a window shows in one step, drawn anew each time; null: all there are
    max_leads: PositiveInt | None = None
    # auto: bf16 on a GPU, fp32 on a CPU; tf32: fp32 whose products a GPU may round, but for losses;
    # fastest: bf16 on a GPU, and on a CPU that a few steps show to be faster with it
    precision: Literal["auto", "fp32", "tf32", "bf16", "fastest"] = "auto"
    seed: NonNegativeInt = 0

    @model_validator(mode="after")
    def _micro_batch_divides(self) -> "TrainSpec":
        if self.micro_batch is not None and self.batch % self.micro_batch:
            raise ValueError(f"micro_batch {self.micro_batch} does not divide batch {self.batch}")
        if self.batch < 2 or self.micro_batch == 1:
            raise ValueError("contrast and batch-norm need at least 2 segments at a time")
        if self.final_rate > self.peak_rate:
            raise ValueError(f"final_rate {self.final_rate} exceeds the rate {self.peak_rate}")
        return self

    @property
    def at_once(self) -> int:
        """Segments that are in memory at a time."""
        return self.micro_batch or self.batch

    @property
    def smaller_micro_batch(self) -> int | None:
        """The next smaller divisor of `batch` that can be trained on; None if there is none."""
        smaller = range(self.at_once // 2, 1, -1)
        return next((n for n in smaller if self.batch % n == 0), None)

    @property
    def peak_rate(self) -> float:
        """Learning rate at the start of the decay."""
        return self.learning_rate * (self.batch / 256 if self.scale_with_batch else 1.0)

    def rate(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 0. A schedule that falls ends at `final_rate`."""
        rising = self.warmup * self.epochs
        if epoch < rising:
            return self.peak_rate * (epoch + 1) / (rising + 1)
        done = (epoch - rising) / (self.epochs - rising)
        factors = {
            "cosine": 0.5 * (1 + math.cos(math.pi * done)),
            "constant": 1.0,
            "polynomial": (1 - done) ** 0.9,
        }
        return self.final_rate + (self.peak_rate - self.final_rate) * factors[self.schedule]

    def lasting(self, steps: int) -> "TrainSpec":
        """This, with so many epochs of `steps` steps that `least_steps` are taken.

        No epochs stay none: those are weights as they were initialised.
        """
        least = math.ceil(self.least_steps / steps)
        return self.model_copy(update={"epochs": max(self.epochs, least if self.epochs else 0)})
