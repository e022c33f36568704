"""How jobs use a GPU: what they learn changes by no more than rounding."""

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat

from physiome.config.base import Spec


class GpuSpec(Spec):
    """What `pretrain`, `train`, `embed` and `lost_leads` do with a device."""

    jobs: Annotated[int, Field(ge=1, le=16)] = 1  # the most that share a GPU
    # GB that a job takes of which nothing is known yet; null: a GPU of its own
    first_gb: PositiveFloat | None = None
    compile: bool = False  # blocks of a training; where that fails, they run as they are
    # GB that a training may fill with frame features of frozen encoders; 0: computed in every epoch
    keep_gb: NonNegativeFloat = 0.0

    def on(self, device: str) -> "GpuSpec":
        """What a training does on this device: on a CPU nothing of it."""
        return self if device == "cuda" else GpuSpec()
