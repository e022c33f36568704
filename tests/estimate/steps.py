"""Training steps and embedding batches of the paper's systems, counted operation by operation."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.utils import clip_grad_norm_

from physiome.config.jobs import MethodSettings, PretrainSettings, TrainSettings
from physiome.config.tree import Config
from physiome.evaluation.embed import embed_subsets
from physiome.methods.base import Method, Progress
from physiome.methods.build import build_encoder, build_method, fresh_parents
from physiome.registry import METHODS
from physiome.subsets import named_subsets
from tests.estimate.count import Op
from tests.estimate.stand_in import Unfilled, as_on_cuda, without_values

SAMPLES = 10  # steps spread over a training, with draws of their own, that the mean is over
FIRST = (0, 3, 5)  # looked at first: where these are alike, all are


@dataclass(frozen=True)
class Work:
    """What one step, or one batch of windows embedded, takes.

    Attributes:
        ops: of `samples` steps together.
        sent: bytes of signals copied to the device in a step.
    """

    ops: list[Op]
    samples: int
    sent: float
    trained_bytes: float  # weights that a training changes
    state_bytes: float  # of the optimiser


class Steps:
    """Steps of a method at full size, on tensors without values.

    Args:
        batch: windows.
        clip: whether gradients are clipped.
        bf16: under autocast.
    """

    def __init__(self, method: Method, samples: int, batch: int, clip: bool = True, bf16: bool = True):
        self.fake = FakeTensorMode(allow_non_fake_inputs=True)
        self.method, self.clip, self.bf16 = without_values(method, self.fake), clip, bf16
        with self.fake:
            self.signals = {m: torch.empty(batch, samples) for m in method.modalities}
            self.labels = torch.empty(batch, dtype=torch.int64)
        self.trained = [p for p in method.parameters() if p.requires_grad]

    def optimise(self, kind: str) -> None:
        """Make the optimiser, and its state, which is not counted."""
        make = torch.optim.AdamW if kind == "adamw" else torch.optim.Adam
        options = {} if kind == "adamw" else {"amsgrad": kind == "amsgrad"}
        self.optimizer = make(self.trained, fused=True, **options)
        for p in self.trained:
            p.grad = torch.empty_like(p)
        with self.fake:
            self.optimizer.step()

    def state_bytes(self) -> float:
        """Of the optimiser."""
        states = self.optimizer.state.values()
        return float(sum(x.nbytes for s in states for x in s.values() if isinstance(x, Tensor)))

    def step(self, number: int, labelled: bool) -> list[Op]:
        """Operations of one of SAMPLES steps, as the training loop takes it."""
        rng = torch.Generator().manual_seed(number)
        # Evenly over the epochs; over an epoch; and over cycles of four steps, such as MaskMentor's
        at = number * 7 % SAMPLES * 4 + number % 4
        self.method.progress = Progress(number, SAMPLES, at, 4 * SAMPLES)
        self.optimizer.zero_grad(set_to_none=True)
        with as_on_cuda(self.fake) as ops:
            each, logged = self._objectives(rng, labelled), torch.zeros((), device="cpu")
            while True:
                with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
                    total = next(each, None)
                if total is None:
                    break
                (total * 1.0).backward()
                logged = logged + total.detach()
            if self.clip:
                for group in self.method.clip_groups():
                    clip_grad_norm_(group, 1.0, foreach=True)
            self.optimizer.step()
            self.method.after_step()
        return ops

    def _objectives(self, rng: torch.Generator, labelled: bool) -> Iterator[Tensor]:
        if labelled:
            terms = self.method.labelled_loss(self.signals, self.labels, rng)
            yield self.method.total(terms)
        else:
            yield from (total for total, _ in self.method.objectives(self.signals, rng))

    def embed(self, subsets: list[tuple[str, ...]]) -> list[Op]:
        """Operations of embedding a batch under every subset."""
        self.method.eval()
        with as_on_cuda(self.fake) as ops, torch.no_grad():
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
                for embedding in embed_subsets(self.method, self.signals, subsets).values():
                    embedding.float().clone()  # to the host
        return ops


def train_work(settings: TrainSettings | PretrainSettings, modality: str | None = None) -> Work:
    """Mean step of a training.

    Args:
        modality: of an encoder.
    """
    spec = settings.pretrain if isinstance(settings, PretrainSettings) else settings.train
    method = _built(settings, modality)
    labelled = isinstance(settings, TrainSettings) and METHODS[settings.base].labels
    steps = Steps(method, settings.window.samples, spec.batch, spec.clip_norm is not None)
    steps.optimise(spec.optimizer)
    ops = {i: steps.step(i, labelled) for i in FIRST}
    if any(found != ops[FIRST[0]] for found in ops.values()):
        ops |= {i: steps.step(i, labelled) for i in range(SAMPLES) if i not in ops}
    sent = float(sum(x.nbytes for x in steps.signals.values()))
    trained = float(sum(p.nbytes for p in steps.trained))
    found = [op for each in ops.values() for op in each]
    return Work(found, len(ops), sent, trained, steps.state_bytes())


def embed_work(settings: MethodSettings, batch: int, bf16: bool) -> Work:
    """A batch of windows embedded under every subset that is scored."""
    method = _built(settings, None)
    steps = Steps(method, settings.window.samples, batch, bf16=bf16)
    ops = steps.embed(named_subsets(settings.scored, settings.modalities))
    return Work(ops, 1, float(sum(x.nbytes for x in steps.signals.values())), 0.0, 0.0)


def _built(settings: Any, modality: str | None) -> Method:
    """With weights that nobody filled, ready to train."""
    with Unfilled():
        if modality is not None:
            method = build_encoder(settings, modality)
        else:
            method = build_method(settings, fresh_parents(settings))
    for part in method.modules():  # k-means starts once, and is no step like the others
        if isinstance(started := getattr(part, "initted", None), Tensor):
            started.fill_(1)
    return method.train()


def settings_of(config: Config, dataset: str, name: str, encoder: bool) -> Any:
    """What a training is built from, as its step gets it."""
    if encoder:
        return PretrainSettings.parse_text(config.pretrain_settings(dataset, 1, name))
    return TrainSettings.parse_text(config.train_settings(dataset, 1, name))
