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
    """Where a method's class is, what its training begins with, and how tables present it."""

    module: str
    cls: str
    title: str  # as in the paper's tables, where it stands there
    scope: Literal["single", "dedicated", "supervised", "control"]
    trains: bool = True  # has weights of its own, if only fresh ones
    on_encoders: bool = False  # begins with one pretrained encoder per modality
    encoder: str | None = None  # on this one, whatever the configuration names
    trained_after: str | None = None  # begins with this method's trained weights
    labels: bool = False  # learns from the labels of train subjects
    section: str | None = None  # whose settings it has; None: its own. "backbone": encoder.backbone

    def load(self) -> Any:
        """Import the method's class."""
        return getattr(importlib.import_module(self.module), self.cls)


METHODS: dict[str, Entry] = {
    "contrawr": Entry("physiome.methods.contrawr", "DedicatedContraWR", "ContraWR", "dedicated"),
    "synthsleepnet": Entry(
        "physiome.methods.synthsleepnet", "DedicatedSynthSleepNet", "SynthSleepNet", "dedicated",
        on_encoders=True, encoder="neuronet",
    ),
    "multimae": Entry("physiome.methods.multimae", "MultiMAE", "MultiMAE", "single"),
    "robustssf": Entry("physiome.methods.robustssf", "RobustSsF", "RobustSsF", "single"),
    "crossl": Entry("physiome.methods.crossl", "CroSSL", "CroSSL", "single"),
    "maskmentor": Entry("physiome.methods.maskmentor", "MaskMentor", "MaskMentor", "single"),
    "cbramod": Entry("physiome.methods.cbramod", "CBraModFusion", "CBraMod fusion", "single"),
    "physioomni_tokenizer": Entry(
        "physiome.methods.physioomni", "Tokenizer", "PhysioOmni tokenizer", "single",
        section="physioomni",
    ),
    "physioomni": Entry(
        "physiome.methods.physioomni", "PhysioOmni", "PhysioOmni", "single",
        trained_after="physioomni_tokenizer",
    ),
    "physioomni_tuned": Entry(
        "physiome.methods.physioomni_tuned", "TunedPhysioOmni", "PhysioOmni (labels)",
        "supervised", trained_after="physioomni", labels=True, section="physioomni",
    ),
    "physiome": Entry(
        "physiome.methods.physiome", "PhysioME", "PhysioME", "single", on_encoders=True
    ),
    "random": Entry(
        "physiome.methods.random", "RandomPhysioME", "Random PhysioME", "control",
        section="physiome",
    ),
    "handmade": Entry(
        "physiome.methods.controls", "HandMade", "Hand-made", "control", trains=False
    ),
    "image_row_means": Entry(
        "physiome.methods.row_means", "ImageRowMeans", "Image row means", "control", trains=False
    ),
    "present_pressure": Entry(
        "physiome.methods.controls", "PresentPressure", "Present pressure", "control", trains=False
    ),
    "majority": Entry("physiome.methods.controls", "Majority", "Majority", "control", trains=False),
}  # fmt: skip

ENCODERS: dict[str, Entry] = {
    "dp_neuronet": Entry("physiome.methods.neuronet", "DPNeuroNet", "DP-NeuroNet", "single"),
    "neuronet": Entry("physiome.methods.neuronet", "NeuroNet", "NeuroNet", "single"),
    "resnet18": Entry(
        "physiome.methods.backbones", "ResNet18", "ResNet", "single", section="backbone"
    ),
    "efficientnet_b0": Entry(
        "physiome.methods.backbones", "EfficientNetB0", "EfficientNet", "single", section="backbone"
    ),
    "vit_s16": Entry("physiome.methods.backbones", "ViTS16", "ViT", "single", section="backbone"),
    "swin_t": Entry(
        "physiome.methods.backbones", "SwinT", "Swin Transformer", "single", section="backbone"
    ),
}


def lineage(name: str) -> list[str]:
    """A registered method, and those that must be trained before it, the nearest first."""
    found = [name]
    while (before := METHODS[found[-1]].trained_after) is not None:
        found.append(before)
    return found


def lookup(table: dict[str, Entry], name: str, where: str) -> Entry:
    """The entry called `name`.

    Raises:
        ConfigError: naming the nearest known name.
    """
    if name not in table:
        raise ConfigError(f"{where}: {name!r} does not exist - {nearest(name, table)}")
    return table[name]
