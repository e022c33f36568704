"""How a training is watched: a quick probe of labelled train subjects every few epochs."""

from typing import Annotated

from pydantic import Field, PositiveInt

from physiome.config.base import Spec


class MonitorSpec(Spec):
    """What it costs to watch; it changes no weight, so it is in no job's slice."""

    every_epochs: PositiveInt = 10  # besides a look before the first step and one at the end
    windows: Annotated[int, Field(ge=16)] = 512  # looked at, at most
