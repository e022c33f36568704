"""Training steps of any system on a device, as the loop takes them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from physiome.methods.base import Method, Progress
from physiome.methods.build import build_encoder, build_method, fresh_parents
from physiome.registry import ENCODERS, METHODS
from tests.bench import common, systems

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as pytest does for `small`

CYCLE = 4  # steps that hold every kind of MaskMentor's; the others do not care


def built(name: str, small: bool) -> Method:
    """A system with fresh weights, at the paper's size or a tiny one, ready to train."""
    if not small:
        return systems.build(name, common.paper_config(), "sleep_edf")
    from small import job_of

    torch.manual_seed(0)
    settings = job_of(name)
    if name in ENCODERS:
        return build_encoder(settings, settings.modalities[0]).train()
    return build_method(settings, fresh_parents(settings)).train()


def names(small: bool) -> list[str]:
    """Encoders and trained methods; at the paper's size also variants with another encoder."""
    config = common.paper_config()
    found = systems.names(config)
    return [n for n in found if n in ENCODERS or n in METHODS] if small else found


def batch_size(name: str) -> int:
    """Of the paper's configuration, on Sleep-EDF."""
    config = common.paper_config()
    if name in ENCODERS:
        return config.section("pretrain", "sleep_edf", 1).batch
    return config.resolve(name, "sleep_edf", 1).train.batch


class Steps:
    """Steps of a system on noise.

    Args:
        dropout: False: none, as it alone draws on the device.
        bf16: under autocast.
    """

    def __init__(
        self, name: str, batch: int, device: str, small: bool, bf16: bool, dropout: bool = True
    ):
        method = built(name, small)
        if not dropout:
            _without_dropout(method)
        if name == "physioomni_tokenizer":  # k-means starts once, and is no step like the others
            for part in method.modules():
                started = getattr(part, "initted", None)
                if isinstance(started, Tensor):
                    started.fill_(1)
        self.device, self.bf16 = device, bf16
        samples = 900 if small else common.paper_config().datasets["sleep_edf"].window.samples
        drawn = torch.Generator().manual_seed(1)
        noise = {m: torch.randn(batch, samples, generator=drawn) for m in method.modalities}
        self.signals = {m: x.to(device) for m, x in noise.items()}
        labelled = name in METHODS and METHODS[name].labels
        self.labels = (torch.arange(batch) % 2).to(device) if labelled else None
        self.method = method.to(device)
        self.trained = [p for p in self.method.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.trained, lr=1e-4, fused=True)
        self.rng = torch.Generator()

    def __call__(self, number: int) -> Tensor:
        """Take a step; its loss, still on the device."""
        self.rng.manual_seed(number)
        self.method.progress = Progress(1, 2, number % CYCLE + 8, 12)
        self.optimizer.zero_grad(set_to_none=True)
        each, total = self._objectives(), torch.zeros((), device=self.device)
        while True:
            with torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.bf16):
                found = next(each, None)
            if found is None:
                break
            found.backward()
            total = total + found.detach()
        self.optimizer.step()
        self.method.after_step()
        return total

    def reached(self) -> set[str]:
        """Names of the weights that the last step had a gradient for."""
        return {n for n, p in self.method.named_parameters() if p.grad is not None}

    def _objectives(self) -> Iterator[Tensor]:
        if self.labels is None:
            for total, _ in self.method.objectives(self.signals, self.rng):
                yield total
        else:
            terms = self.method.labelled_loss(self.signals, self.labels, self.rng)
            yield self.method.total(terms)


def _without_dropout(method: nn.Module) -> None:
    for part in method.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
        if isinstance(getattr(part, "dropout", None), float):
            vars(part)["dropout"] = 0.0
