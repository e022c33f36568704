"""Settings of the untrained control."""

from typing import Any

from pydantic import Field, field_validator

from physiome.config.systems.base import SystemSpec


class RandomSpec(SystemSpec):
    """The untrained control."""

    train: dict[str, Any] = Field(default={"epochs": 0})

    @field_validator("train")
    @classmethod
    def _none_unless_asked_for(cls, train: dict[str, Any]) -> dict[str, Any]:
        return {"epochs": 0, **train}
