"""How jobs use a GPU: what they learn changes by no more than rounding."""

from typing import Annotated

from pydantic import Field, PositiveFloat

from physiome.config.base import Spec


class GpuSpec(Spec):
    """What `pretrain`, `train`, `embed` and `lost_leads` do with a device."""

    jobs: Annotated[int, Field(ge=1, le=16)] = 1  # the most that share a GPU
    # GB that a job takes of which nothing is known yet; null: a GPU of its own
    first_gb: PositiveFloat | None = None
