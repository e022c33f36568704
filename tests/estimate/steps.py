"""Training steps and embedding batches of the paper's systems, counted operation by operation."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.utils import clip_grad_norm_

from physiome.config.jobs import EmbedSettings, PretrainSettings, TrainSettings
from physiome.evaluation.embed import embed_subsets
from physiome.files import canonical_json
from physiome.methods.base import Method, Progress
from physiome.methods.build import build_encoder, build_method, fresh_parents
from physiome.registry import METHODS
from physiome.subsets import named_subsets
from tests.estimate.count import Counted, Op
from tests.estimate.regions import Regions
from tests.estimate.stand_in import Unfilled, as_on_cuda, without_values

# Of the draws of steps spread over a training, that the mean is over. With these PhysioME's parts
# of a batch drop none, one and two modalities equally often, as in the long run: a test sees to it.
SEEDS = (0, 1, 3, 5, 13)
SAMPLES = len(SEEDS)
FIRST = (0, 2, 3)  # looked at first, MaskMentor's student among them: where they are alike, all are
ALIKE = 1.01


@dataclass(frozen=True)
class Work:
    """What one step, or one batch of windows embedded, takes.

    Attributes:
        ops: of `samples` steps together.
        drawn: random numbers drawn on the host in a step.
        sent: bytes of signals copied to the device in a step.
        kept: bytes of frame features that frozen encoders make in a step.
    """

    ops: list[Op]
    samples: int
    drawn: float
    sent: float
    kept: float
    trained_bytes: float  # weights that a training changes
    state_bytes: float  # of the optimiser


class Steps:
    """Steps of a method at full size, on tensors without values.

    Args:
        batch: windows.
        clip: whether gradients are clipped.
        bf16: under autocast.
    """

    def __init__(
        self, method: Method, samples: int, batch: int, clip: bool = True, bf16: bool = True
    ):
        self.fake = FakeTensorMode(allow_non_fake_inputs=True)
        self.method, self.clip, self.bf16 = without_values(method, self.fake), clip, bf16
        with self.fake:
            self.signals = {m: torch.empty(batch, samples) for m in method.modalities}
            self.labels = torch.empty(batch, dtype=torch.int64)
        self.sent = float(sum(x.nbytes for x in self.signals.values()))
        self.trained = [p for p in method.parameters() if p.requires_grad]
        self.regions = Regions(method)

    def optimise(self, kind: str) -> None:
        """Make the optimiser, and its state, which is not counted."""
        if kind == "adamw":
            self.optimizer = torch.optim.AdamW(self.trained, fused=True)
        else:
            self.optimizer = torch.optim.Adam(self.trained, fused=True, amsgrad=kind == "amsgrad")
        for p in self.trained:
            p.grad = torch.empty_like(p)
        with self.fake:
            self.optimizer.step()

    def state_bytes(self) -> float:
        """Of the optimiser."""
        states = self.optimizer.state.values()
        return float(sum(x.nbytes for s in states for x in s.values() if isinstance(x, Tensor)))

    def step(self, number: int, labelled: bool) -> Counted:
        """Operations of one of SAMPLES steps, as the training loop takes it."""
        rng = torch.Generator().manual_seed(SEEDS[number])
        # Evenly over the epochs; over an epoch; and over cycles of four steps, such as MaskMentor's
        at = number * 2 % SAMPLES * 4 + number % 4
        self.method.progress = Progress(number, SAMPLES, at, 4 * SAMPLES)
        self.optimizer.zero_grad(set_to_none=True)
        with as_on_cuda(self.fake, self.regions) as counted:
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
        return counted

    def _objectives(self, rng: torch.Generator, labelled: bool) -> Iterator[Tensor]:
        if labelled:
            terms = self.method.labelled_loss(self.signals, self.labels, rng)
            yield self.method.total(terms)
        else:
            yield from (total for total, _ in self.method.objectives(self.signals, rng))

    def embed(self, subsets: list[tuple[str, ...]]) -> Counted:
        """Operations of embedding a batch under every subset."""
        self.method.eval()
        with (
            as_on_cuda(self.fake) as counted,
            torch.no_grad(),
            torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16),
        ):
            for embedding in embed_subsets(self.method, self.signals, subsets).values():
                embedding.float().clone()  # to the host
        return counted


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
    found = {i: steps.step(i, labelled) for i in FIRST}
    if not _alike(found.values()):
        found |= {i: steps.step(i, labelled) for i in range(SAMPLES) if i not in found}
    return Work(
        [op for each in found.values() for op in each.ops],
        len(found),
        sum(each.drawn for each in found.values()) / len(found),
        steps.sent,
        steps.regions.kept_bytes / len(found),
        float(sum(p.nbytes for p in steps.trained)),
        steps.state_bytes(),
    )


def embed_work(settings: EmbedSettings, bf16: bool = False) -> Work:
    """A batch of windows embedded under every subset that is asked for."""
    method = _built(settings, None)
    steps = Steps(method, settings.window.samples, settings.batch, bf16=bf16)
    wanted = settings.scored if settings.subsets is None else settings.subsets
    found = steps.embed(named_subsets(wanted, settings.modalities))
    return Work(found.ops, 1, 0.0, steps.sent, 0.0, 0.0, 0.0)


def _alike(steps: Iterable[Counted]) -> bool:
    """Whether steps do the same within a hundredth, so that a mean needs no more of them."""
    sums = [
        [sum(getattr(op, what) for op in each.ops) for what in ("launches", "bytes", "flop")]
        for each in steps
    ]
    return all(max(column) <= ALIKE * min(column) for column in zip(*sums, strict=True))


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


def key_of(settings: EmbedSettings | TrainSettings | PretrainSettings) -> str:
    """The same text for jobs of the same work: names, epochs and rates do not matter."""
    plain = settings.plain()
    for name in ("name", "dataset"):
        plain.pop(name, None)
    for part in ("train", "pretrain"):
        if part in plain:
            of_step = {k: plain[part][k] for k in ("batch", "optimizer")}
            plain[part] = of_step | {"clips": plain[part]["clip_norm"] is not None}
    return type(settings).__name__ + canonical_json(plain)
