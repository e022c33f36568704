"""Low-rank adaptation of frozen encoders, by peft; one encoder can carry several adapters."""

from collections.abc import Iterator
from contextlib import contextmanager

from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

from physiome.config.model import Lora
from physiome.errors import ConfigError

ONLY = "default"  # peft's name of a single adapter


def adapt(encoder: nn.Module, targets: str, spec: Lora, name: str = ONLY) -> nn.Module:
    """Freeze an encoder and add an adapter to it; its own weights stay as they are.

    Args:
        targets: regular expression of the names of the layers that get the low-rank factors.

    Raises:
        ConfigError: the encoder has no such layer, or one that cannot be adapted.
    """
    if name == ONLY:
        encoder.requires_grad_(False)
    config = LoraConfig(
        r=spec.rank,
        lora_alpha=spec.alpha,
        lora_dropout=spec.dropout,
        use_rslora=True,
        init_lora_weights="gaussian",
        target_modules=targets,
    )
    try:
        adapted = inject_adapter_in_model(config, encoder, adapter_name=name)
    except ValueError as error:
        raise ConfigError(
            f"LoRA finds no layer of {type(encoder).__name__} to adapt",
            why=str(error),
            do="correct its lora_targets, a regular expression of whole names of layers",
        ) from error
    # What peft notes for a model of its own; left there, it warns when the next adapter comes.
    del adapted.peft_config
    return adapted


def keep_frozen(encoder: nn.Module, mode: bool) -> None:
    """Evaluation mode for a frozen encoder; only its adapters' dropout follows `mode`."""
    encoder.eval()
    for name, part in encoder.named_modules():
        if "lora_dropout" in name:
            part.train(mode)


def adapter_parameters(encoder: nn.Module, name: str = ONLY) -> list[nn.Parameter]:
    """The low-rank factors of one adapter."""
    return [p for key, p in encoder.named_parameters() if "lora_" in key and f".{name}." in key]


@contextmanager
def active(encoder: nn.Module, name: str) -> Iterator[None]:
    """Within this context the encoder computes with the adapter called `name`.

    Switching makes peft freeze the other adapters' factors; all are trainable again afterwards.
    """
    layers = [part for part in encoder.modules() if isinstance(part, BaseTunerLayer)]
    for layer in layers:
        layer.set_adapter(name)
    try:
        yield
    finally:
        for key, p in encoder.named_parameters():
            if "lora_" in key:
                p.requires_grad_(True)
