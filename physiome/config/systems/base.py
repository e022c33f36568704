"""What the settings of all comparison systems have in common."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from physiome.config.base import Spec


class SystemSpec(Spec):
    """What all comparison systems have in common."""

    # Settings that no training reads: a variant that changes these alone takes the system's weights
    read_out: ClassVar[frozenset[str]] = frozenset()

    # Method trained after this one -> settings that its own training reads, of which it may have
    # variants: of other settings it would be handed the weights that have the old ones
    later: ClassVar[Mapping[str, frozenset[str]]] = {}

    train: dict[str, Any] = Field(default_factory=dict)  # changes to the `train` section
