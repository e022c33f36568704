"""The methods there are: one line each.

Modules are named as text so that nothing here imports torch, and so that a job depends on the
source of its own method only: adding a line here reruns nothing.
"""

import importlib
from dataclasses import dataclass
from typing import Any, Literal, get_args

from physiome.errors import ConfigError, nearest

Scope = Literal["single", "dedicated", "supervised", "control"]
SCOPES = get_args(Scope)


@dataclass(frozen=True)
class Entry:
    """Where a method's class is, what its training begins with, and how tables present it."""

    module: str
    cls: str
    title: str  # as in the paper's tables, where it stands there
    scope: Scope
    trains: bool = True  # has weights of its own, if only fresh ones
    on_encoders: bool = False  # begins with one pretrained encoder per modality
    encoder: str | None = None  # on this one, whatever the configuration names
    trained_after: str | None = None  # begins with this method's trained weights
    labels: bool = False  # learns from the labels of train subjects
    # What checks `systems.<name>`, of an encoder `encoders.<name>`: a class below physiome.config;
    # None: the method itself
    spec: str | None = None
    settings_of: str | None = None  # the method whose settings it has; None: its own
    fresh_encoders: bool = False  # begins with encoders that nobody trained

    def load(self) -> Any:
        """Import the method's class."""
        return getattr(importlib.import_module(self.module), self.cls)

    def specification(self) -> Any:
        """Import what its settings are checked by; None if there is nothing."""
        if self.spec is None:
            return None
        module, _, name = self.spec.partition(":")
        return getattr(importlib.import_module(f"physiome.config.{module}"), name)


METHODS: dict[str, Entry] = {
    "contrawr": Entry(
        "physiome.methods.contrawr", "DedicatedContraWR", "ContraWR", "dedicated",
        spec="systems.contrawr:ContraWRSpec",
    ),
    "synthsleepnet": Entry(
        "physiome.methods.synthsleepnet", "DedicatedSynthSleepNet", "SynthSleepNet", "dedicated",
        on_encoders=True, encoder="neuronet", spec="systems.synthsleepnet:SynthSleepNetSpec",
    ),
    "multimae": Entry(
        "physiome.methods.multimae", "MultiMAE", "MultiMAE", "single",
        spec="systems.multimae:MultiMAESpec",
    ),
    "robustssf": Entry(
        "physiome.methods.robustssf", "RobustSsF", "RobustSsF", "single",
        spec="systems.robustssf:RobustSsFSpec",
    ),
    "crossl": Entry(
        "physiome.methods.crossl", "CroSSL", "CroSSL", "single", spec="systems.crossl:CroSSLSpec"
    ),
    "maskmentor": Entry(
        "physiome.methods.maskmentor", "MaskMentor", "MaskMentor", "single",
        spec="systems.maskmentor:MaskMentorSpec",
    ),
    "cbramod": Entry(
        "physiome.methods.cbramod", "CBraModFusion", "CBraMod fusion", "single",
        spec="systems.cbramod:CBraModSpec",
    ),
    "cbramod_tuned": Entry(
        "physiome.methods.cbramod_tuned", "TunedCBraMod", "CBraMod (labels)", "supervised",
        trained_after="cbramod", labels=True, settings_of="cbramod", spec="systems.base:SystemSpec",
    ),
    "physioomni_tokenizer": Entry(
        "physiome.methods.physioomni", "Tokenizer", "PhysioOmni tokenizer", "single",
        settings_of="physioomni", spec="systems.base:SystemSpec",
    ),
    "physioomni": Entry(
        "physiome.methods.physioomni", "PhysioOmni", "PhysioOmni", "single",
        trained_after="physioomni_tokenizer", spec="systems.physioomni:PhysioOmniSpec",
    ),
    "physioomni_tuned": Entry(
        "physiome.methods.physioomni_tuned", "TunedPhysioOmni", "PhysioOmni (labels)",
        "supervised", trained_after="physioomni", labels=True, settings_of="physioomni",
        spec="systems.base:SystemSpec",
    ),
    "physiome": Entry(
        "physiome.methods.physiome", "PhysioME", "PhysioME", "single", on_encoders=True,
        spec="systems.physiome:PhysioMESpec",
    ),
    "random": Entry(
        "physiome.methods.physiome", "PhysioME", "Random PhysioME", "control",
        settings_of="physiome", fresh_encoders=True, spec="systems.random:RandomSpec",
    ),
    "handmade": Entry(
        "physiome.methods.controls", "HandMade", "Hand-made", "control", trains=False
    ),
    "image_row_means": Entry(
        "physiome.methods.row_means", "ImageRowMeans", "Image row means", "control",
        trains=False, spec="systems.controls:ImageRowMeansSpec",
    ),
    "present_pressure": Entry(
        "physiome.methods.controls", "PresentPressure", "Present pressure", "control",
        trains=False, spec="systems.controls:PresentPressureSpec",
    ),
    "majority": Entry("physiome.methods.controls", "Majority", "Majority", "control", trains=False),
}  # fmt: skip

ENCODERS: dict[str, Entry] = {
    "dp_neuronet": Entry(
        "physiome.methods.neuronet", "DPNeuroNet", "DP-NeuroNet", "single", spec="model:EncoderSpec"
    ),
    "neuronet": Entry(
        "physiome.methods.neuronet", "NeuroNet", "NeuroNet", "single", spec="model:EncoderSpec"
    ),
    "resnet18": Entry(
        "physiome.methods.backbones", "ResNet18", "ResNet", "single", spec="backbones:ResNetSpec"
    ),
    "efficientnet_b0": Entry(
        "physiome.methods.backbones", "EfficientNetB0", "EfficientNet", "single",
        spec="backbones:EfficientNetSpec",
    ),
    "vit_s16": Entry(
        "physiome.methods.backbones", "ViTS16", "ViT", "single", spec="backbones:ViTSpec"
    ),
    "swin_t": Entry(
        "physiome.methods.backbones", "SwinT", "Swin Transformer", "single",
        spec="backbones:SwinSpec",
    ),
}  # fmt: skip


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
    scope = table[name].scope
    if scope not in SCOPES:
        raise ConfigError(f"physiome/registry.py: {name!r} of {scope!r} - {nearest(scope, SCOPES)}")
    return table[name]
