"""What the settings of all comparison systems have in common."""

from typing import Any, ClassVar

from pydantic import Field

from physiome.config.base import Spec


class SystemSpec(Spec):
    """What all comparison systems have in common."""

    # Settings that no training reads: a variant that changes these alone takes the system's weights
    read_out: ClassVar[frozenset[str]] = frozenset()

    train: dict[str, Any] = Field(default_factory=dict)  # changes to the `train` section
