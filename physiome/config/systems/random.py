"""Settings of the untrained control."""

from typing import Any

from pydantic import Field

from physiome.config.systems.base import SystemSpec


class RandomSpec(SystemSpec):
    """The untrained control."""

    train: dict[str, Any] = Field(default={"epochs": 0})
