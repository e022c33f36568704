"""What the settings of all comparison systems have in common."""

from typing import Any

from pydantic import Field

from physiome.config.base import Spec


class SystemSpec(Spec):
    """What all comparison systems have in common."""

    train: dict[str, Any] = Field(default_factory=dict)  # changes to the `train` section
