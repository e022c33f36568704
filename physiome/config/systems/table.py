"""Whose settings are checked by what: one line a system.

Each also has a `train` part: what differs from the common `train` section.
"""

from physiome.config.systems.base import SystemSpec
from physiome.config.systems.cbramod import CBraModSpec
from physiome.config.systems.contrawr import ContraWRSpec
from physiome.config.systems.controls import ImageRowMeansSpec, PresentPressureSpec
from physiome.config.systems.crossl import CroSSLSpec
from physiome.config.systems.maskmentor import MaskMentorSpec
from physiome.config.systems.multimae import MultiMAESpec
from physiome.config.systems.physioomni import PhysioOmniSpec
from physiome.config.systems.random import RandomSpec
from physiome.config.systems.robustssf import RobustSsFSpec
from physiome.config.systems.synthsleepnet import SynthSleepNetSpec

SYSTEMS: dict[str, type[SystemSpec]] = {
    "contrawr": ContraWRSpec,
    "synthsleepnet": SynthSleepNetSpec,
    "multimae": MultiMAESpec,
    "maskmentor": MaskMentorSpec,
    "robustssf": RobustSsFSpec,
    "crossl": CroSSLSpec,
    "cbramod": CBraModSpec,
    "physiome": SystemSpec,  # its architecture has a section of its own
    "physioomni_tokenizer": SystemSpec,  # trained with settings of its own; else as physioomni
    "physioomni": PhysioOmniSpec,
    "physioomni_tuned": SystemSpec,
    "random": RandomSpec,
    "image_row_means": ImageRowMeansSpec,
    "present_pressure": PresentPressureSpec,
}
