"""The methods there are: one line each.

Modules are named as text so that nothing here imports torch, and so that a job depends on the
source of its own method only: adding a line here reruns nothing.
"""

import importlib
from dataclasses import dataclass
from typing import Any, Literal

from physiome.errors import ConfigError, nearest


@dataclass(frozen=True)
class Entry:
    """Where a method's class is, and how tables present it."""

    module: str
    cls: str
    title: str  # as in the paper's tables, where it stands there
    scope: Literal["single", "dedicated", "control"]
    trains: bool = True  # has weights of its own to train
    on_encoders: bool = False  # stands on one pretrained encoder per modality

    def load(self) -> Any:
        """Import the method's class."""
        return getattr(importlib.import_module(self.module), self.cls)


METHODS: dict[str, Entry] = {
    "physiome": Entry(
        "physiome.methods.physiome", "PhysioME", "PhysioME", "single", on_encoders=True
    ),
    "handmade": Entry(
        "physiome.methods.controls", "HandMade", "Hand-made", "control", trains=False
    ),
    "majority": Entry("physiome.methods.controls", "Majority", "Majority", "control", trains=False),
}

ENCODERS: dict[str, Entry] = {
    "dp_neuronet": Entry("physiome.methods.neuronet", "DPNeuroNet", "DP-NeuroNet", "single"),
    "neuronet": Entry("physiome.methods.neuronet", "NeuroNet", "NeuroNet", "single"),
}


def lookup(table: dict[str, Entry], name: str, where: str) -> Entry:
    """The entry called `name`.

    Raises:
        ConfigError: naming the nearest known name.
    """
    if name not in table:
        raise ConfigError(f"{where}: {name!r} does not exist - {nearest(name, table)}")
    return table[name]
