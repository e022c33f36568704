"""Small settings of every system, and whole settings as a step gets them."""

from typing import Any

from tiny import ENCODER, FUSION, NAMES, WINDOW

from physiome.config.jobs import MethodSettings
from physiome.registry import METHODS

IMAGE = {"n_fft": 64, "bins": 32, "frames": 32}
# What each modality encoder has of its own, small. A new encoder needs a line here.
OWN: dict[str, dict[str, Any]] = {
    "dp_neuronet": ENCODER,
    "neuronet": ENCODER,
    "resnet18": {"image": IMAGE, "stem": 8, "widths": (8, 16, 32), "depths": (1, 1, 2)},
    "efficientnet_b0": {"image": IMAGE, "width_factor": 0.25, "depth_factor": 0.1},
    "vit_s16": {"image": IMAGE, "patch": 8, "hidden": 32, "layers": 2, "attention_heads": 4},
    "swin_t": {"image": IMAGE, "hidden": 16, "depths": (2, 2), "attention_heads": (2, 4)},
}
SYNTHSLEEPNET = {k: v for k, v in FUSION.items() if not k.startswith("restore")}
CONTRAWR = {
    "n_fft": 64, "hop": 16, "channels": (4, 8, 16, 16), "dropout": 0.1, "projection": 16,
    "momentum": 0.9, "temperature": 1.0, "sigma": 0.5,
}  # fmt: skip
MULTIMAE = {
    "image": {"n_fft": 64, "bins": 16, "frames": 16}, "patch": 4, "visible": 8,
    "width": 64, "depth": 1, "heads": 4,
    "decoder_width": 32, "decoder_depth": 1, "decoder_heads": 4,
}  # fmt: skip
ROBUSTSSF = {"image": {"n_fft": 64, "bins": 16, "frames": 16}, "widths": (4, 8, 8, 16)}
CROSSL = {
    "channels": (8, 8, 16),
    "kernels": (8, 6, 4),
    "hidden": (32, 16),
    "width": 8,
    "covariance": 1.0,
}
CBRAMOD = {
    "patch": 100, "channels": 10, "kernel": 9, "stride": 10, "heads": 4, "depth": 1,
    "feed_forward": 64,
}  # fmt: skip
PHYSIOOMNI = {
    "stem": 4, "width": 32, "depth": 1, "heads": 4, "decoder_depth": 1, "codes": 16,
    "code_width": 8, "spectral": ["b"], "mask_ratios": {"c": 0.7}, "positions": 8,
    "aligned_width": 16, "aligned_heads": 2,
}  # fmt: skip
# The `method` section of each method's settings, small. A new method needs a line here.
SECTIONS: dict[str, dict[str, Any]] = {
    "contrawr": CONTRAWR, "synthsleepnet": SYNTHSLEEPNET, "multimae": MULTIMAE,
    "robustssf": ROBUSTSSF, "crossl": CROSSL, "maskmentor": MULTIMAE, "cbramod": CBRAMOD,
    "cbramod_tuned": CBRAMOD,
    "physioomni_tokenizer": PHYSIOOMNI, "physioomni": PHYSIOOMNI, "physioomni_tuned": PHYSIOOMNI,
    "physiome": FUSION, "random": FUSION, "handmade": {}, "majority": {},
    "image_row_means": {"image": {"n_fft": 64, "bins": 16, "frames": 16}},
    "present_pressure": {"modality": "a"},
}  # fmt: skip


def encoder_of(name: str) -> dict[str, Any]:
    """Plain settings of a modality encoder."""
    common = {key: ENCODER[key] for key in ("width", "projection")}
    return {**common, **OWN[name], "name": name}


def job_of(name: str) -> MethodSettings:
    """Settings of a method or encoder, as a step parses them."""
    return MethodSettings.parse({**settings_of(name), "dataset": "d", "name": name, "base": name})


def settings_of(name: str) -> dict[str, Any]:
    """Plain settings of a method or encoder."""
    own = METHODS[name].encoder if name in METHODS else name
    encoder = encoder_of(own or "neuronet")
    settings = {"modalities": list(NAMES), "window": WINDOW, "encoder": encoder}
    return settings | {"method": SECTIONS.get(name, {}), "classes": ["slow", "fast"]}
