"""The training loop, for every method: optimiser, schedule, accumulation, clipping, resume.

Order of batches and all randomness come from (seed, epoch, step) alone, so a killed and resumed run
takes exactly the steps of an uninterrupted one.
"""

import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from physiome.config.training import TrainSpec
from physiome.data.store.batches import Batch, prefetch, training_batches
from physiome.data.store.windows import WindowStore
from physiome.devices.memory import LARGER, memory_told
from physiome.errors import TrainingError
from physiome.files import write_errors
from physiome.methods.base import Method, Progress
from physiome.nn.kept import KeptFrames
from physiome.training import standstill
from physiome.training.checkpoint import ResumeState
from physiome.training.contrasts import chance_terms, summary_line
from physiome.training.finite import (
    require_finite_loss,
    require_finite_samples,
    require_finite_weights,
)
from physiome.training.manifest import Summary, peak_gpu_bytes
from physiome.training.monitor import Monitor
from physiome.training.progress import Reporter, Taken, read_terms
from physiome.training.rehearsal import faster_in_bf16
from physiome.training.runtime import Interrupted, bf16, stop_signals, tf32, wants_bf16
from physiome.training.verdict import Look

log = logging.getLogger(__name__)
Objective = tuple[Tensor, dict[str, Tensor]]  # loss and the terms of it that are logged

# Steps whose losses are read together. On a GPU reading waits for all that is queued, and the queue
# is what hides the time that launching takes; on a CPU nothing is queued.
READ_TOGETHER = {"cuda": 20, "cpu": 1}
# A GPU goes on while what was copied from it is written; a CPU would pay for the copy with memory.
BESIDE = {"cuda": True, "cpu": False}


def fit(
    method: Method,
    store: WindowStore,
    groups: Sequence[Batch],
    spec: TrainSpec,
    device: str,
    resume: ResumeState,
    title: str,
    save_every_s: float = 300.0,
    labels: np.ndarray | None = None,
    monitor: Monitor | None = None,
    keep_gb: float = 0.0,
) -> Summary:
    """Train `method` in place on the windows of `groups` and return what it took.

    Args:
        labels: class of every window of the store, for methods that learn from labels.
        save_every_s: seconds between writings of the resume state; the last is after all steps.
        monitor: looks at the weights now and then; None: nothing does.
        keep_gb: of the device, for frame features of frozen encoders; see `kept`.

    Raises:
        TrainingError: for a loss that is not finite or trains nothing, or when memory runs out.
        Interrupted: after SIGTERM or Ctrl-C, with the state saved.
    """
    size = sum(x.nbytes for x in method.state_dict().values())
    with memory_told("the model", f"{size / 1e9:.2f} GB of weights", LARGER):
        run = _Run(method, store, groups, spec, device, resume, labels, monitor, keep_gb)
    with tf32(spec.precision == "tf32"):
        return run.go(title, save_every_s)


class _Run:
    def __init__(
        self,
        method: Method,
        store: WindowStore,
        groups: Sequence[Batch],
        spec: TrainSpec,
        device: str,
        resume: ResumeState,
        labels: np.ndarray | None,
        monitor: Monitor | None,
        keep_gb: float,
    ):
        self.method, self.store, self.groups = method.to(device), store, groups
        self.device, self.resume, self.labels = device, resume, labels
        self.monitor = monitor or Monitor(None, store, np.arange(0))
        method.train()
        trained = np.unique(np.concatenate([positions for _, positions in groups]))
        thinned = spec.max_leads is not None  # then a window is another one in every epoch
        self.kept = KeptFrames(method, trained, len(store.table), 0.0 if thinned else keep_gb * 1e9)
        self.trained = [p for p in method.parameters() if p.requires_grad]
        self.optimizer = _optimizer(self.trained or list(method.parameters()), spec)
        self.rounds = spec.precision == "tf32"
        self.bf16 = wants_bf16(spec.precision, device)
        self.rng = torch.Generator()  # on the CPU, whatever the device: see `nn.draws`
        self.per_epoch = len(training_batches(groups, spec.batch, spec.seed, 0))
        if self.per_epoch == 0:
            raise TrainingError("too few windows to train on", why="a batch needs at least two")
        self.asked_epochs, self.spec = spec.epochs, spec.lasting(self.per_epoch)
        self.step, self.last_terms, self.saved = 0, {}, 0.0
        self.metrics_bytes, self.seconds, self.peak = 0, 0.0, 0  # of processes before this one
        self.unread: list[Taken] = []  # steps whose losses are still on the device
        # Before anything resumed is loaded
        self.first_weights = standstill.fingerprint(self.trained)
        self.still = standstill.untrained(method)
        self.name = f"{type(method).__module__}.{type(method).__name__}"

    def go(self, title: str, save_every_s: float) -> Summary:
        epochs, trained = self.spec.epochs, np.unique(np.concatenate([i for _, i in self.groups]))
        if epochs > self.asked_epochs:
            counts = epochs, self.asked_epochs, self.spec.least_steps
            log.info("%s epochs=%d instead of %d: least_steps=%d", title, *counts)
        with self._memory_told("the monitor's first look"):
            first = self.monitor.begin(self.method, trained, self.spec.at_once, epochs)
            self._restore()
        if self.step == 0 and self.spec.precision == "fastest" and self.device == "cpu":
            self.bf16 = self._faster_in_bf16()
        total = epochs * self.per_epoch
        reporter = Reporter(title, total, self.step)
        self.saved = time.monotonic()
        self.started = self.saved - self.seconds
        path = self.resume.metrics
        with write_errors(path), open(path, "ab") as metrics, stop_signals() as asked, reporter:
            # After a power cut the log can be shorter than the state says: never pad it.
            metrics.truncate(min(self.metrics_bytes, metrics.tell()))
            if self.metrics_bytes == 0:
                self._log_look(metrics, reporter, 0, first)
            for epoch in range(self.step // self.per_epoch, epochs):
                batches = training_batches(self.groups, self.spec.batch, self.spec.seed, epoch)
                todo = batches[self.step % self.per_epoch :]
                self.method.train()
                for batch, signals in prefetch(self.store, todo):
                    require_finite_samples(self.store, batch, signals, self.step + 1)
                    with self._memory_told(f"step {self.step}"):
                        self.unread.append(self._train_step(epoch, batch, signals))
                    self.step += 1
                    due = self._due(asked, save_every_s)
                    last = self.step % self.per_epoch == 0
                    if last or due or len(self.unread) >= READ_TOGETHER[self.device]:
                        self._read(metrics, reporter)
                    if last:
                        continue  # the epoch's last step: it is looked at first, then saved
                    if due:
                        self._save(metrics)
                    if asked:
                        self.resume.wait()
                        raise Interrupted(asked[0], self.step)
                if self.monitor.due(epoch + 1, epochs):
                    with self._memory_told("the monitor's look"):
                        look = self.monitor.look(self.method)
                    self._log_look(metrics, reporter, epoch + 1, look)
                if self._due(asked, save_every_s) or epoch + 1 == epochs:
                    self._save(metrics)
                if asked:
                    self.resume.wait()
                    raise Interrupted(asked[0], self.step)
        self.resume.wait()
        if total:
            standstill.require_change(self.trained, self.first_weights, self.name)
            self.monitor.standstill = standstill.without_gradient(self.method, self.optimizer)
        return self._summary(time.monotonic() - self.started, reporter.segments_per_s)

    def _faster_in_bf16(self) -> bool:
        modalities, positions = training_batches(self.groups, self.spec.batch, self.spec.seed, 0)[0]
        positions = positions[: self.spec.at_once]
        signals = self.store.read(positions, modalities)
        labels = None if self.labels is None else self.labels[positions]
        found = faster_in_bf16(self.method, signals, labels)
        log.info("precision: %s is faster here", "bf16" if found else "fp32")
        return found

    def _train_step(self, epoch: int, batch: Batch, signals: dict) -> Taken:
        spec, rate = self.spec, self.spec.rate(epoch)
        step = self.step - epoch * self.per_epoch
        self.method.progress = Progress(epoch, spec.epochs, step, self.per_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        # One seed per step for the method's draws and for dropout: nothing to store for a resume.
        seed = int(np.random.SeedSequence([spec.seed, self.step]).generate_state(1)[0])
        torch.manual_seed(seed)
        self.rng.manual_seed(seed)
        self.optimizer.zero_grad(set_to_none=True)
        pieces = []
        for share, rows in self._micro_batches(len(batch[1])):
            terms = self._backward(batch[1][rows], signals, rows, share)
            chances = chance_terms(self.method.contrasts, terms, len(batch[1][rows]))
            pieces.append((share, terms | chances))
        if self.step == 0 and self.method.learns_from(batch[0]):
            (logged,) = self._finite([Taken(0, epoch, batch, rate, pieces, ())])
            standstill.require_gradient(self.trained, logged, self.name)
        norms = []
        if spec.clip_norm is not None:
            norms = [clip_grad_norm_(group, spec.clip_norm) for group in self.method.clip_groups()]
        self.optimizer.step()
        self.method.after_step()
        return Taken(self.step, epoch, batch, rate, pieces, norms)

    def _memory_told(self, where: str) -> AbstractContextManager[None]:
        spec = self.spec
        holds = f"{spec.at_once} of a batch of {spec.batch} at a time"
        return memory_told(where, holds, _less_memory(spec) + "; saved progress is kept")

    def _finite(self, steps: Sequence[Taken]) -> list[dict[str, float]]:
        """Terms of these steps; a loss that is no number ends the training."""
        found = read_terms(steps)
        for taken, terms in zip(steps, found, strict=True):
            require_finite_loss(self.store, taken.batch, taken.step, terms)
        return found

    def _read(self, metrics, reporter: Reporter) -> None:
        """Log the steps taken since the last time."""
        for taken, terms in zip(self.unread, self._finite(self.unread), strict=True):
            self.last_terms = terms
            self.monitor.note(terms)
            line = {"step": taken.step + 1, "epoch": taken.epoch + 1} | terms
            metrics.write((json.dumps(line) + "\n").encode())
            reporter.step(len(taken.batch[1]), terms["loss"], taken.epoch + 1, summary_line(terms))
        self.unread.clear()

    def _micro_batches(self, size: int) -> Iterator[tuple[float, slice]]:
        step = self.spec.micro_batch or size
        # A last piece of one window joins the piece before it: batch-norm needs two.
        starts = [i for i in range(0, size, step) if size - i > 1] or [0]
        for start, stop in zip(starts, [*starts[1:], size], strict=True):
            yield (stop - start) / size, slice(start, stop)

    def _to_device(self, x: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(x)
        if self.device == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor

    def _backward(
        self, positions: np.ndarray, signals: dict, rows: slice, share: float
    ) -> dict[str, Tensor]:
        """Gradients of every objective of some rows of the batch, each graph freed at once."""
        part = {m: self._to_device(x[rows]) for m, x in signals.items()}
        part = self.method.thinned(part, self.spec.max_leads, self.rng)
        logged: dict[str, Tensor] = {"loss": torch.zeros((), device=self.device)}
        objectives = self._objectives(part, positions)
        while True:
            with bf16(self.bf16, self.device), self.kept.of(positions):
                found = next(objectives, None)
            if found is None:
                return logged
            total, terms = found
            if total.requires_grad:
                (total * share).backward()
            logged["loss"] = logged["loss"] + total.detach()
            logged.update({name: term.detach() for name, term in terms.items()})

    def _objectives(self, part: dict[str, Tensor], positions: np.ndarray) -> Iterator[Objective]:
        if self.labels is None:
            yield from self.method.objectives(part, self.rng)
        else:
            labels = self._to_device(self.labels[positions])
            terms = self.method.labelled_loss(part, labels, self.rng)
            yield self.method.total(terms), terms

    def _log_look(self, metrics, reporter: Reporter, epoch: int, look: Look | None) -> None:
        if look is None:
            return
        line = {"step": self.step, "epoch": epoch, "monitor": look}
        metrics.write((json.dumps(line) + "\n").encode())
        facts = (f"{k}={'not_finite' if v is None else f'{v:.4g}'}" for k, v in look.items())
        reporter.look(f"epoch={epoch} {' '.join(facts)}")

    def _due(self, asked: list[int], save_every_s: float) -> bool:
        return bool(asked) or time.monotonic() - self.saved > save_every_s

    def _save(self, metrics) -> None:
        require_finite_weights(self.trained, self.step)
        metrics.flush()
        save = self.resume.save_beside if BESIDE[self.device] else self.resume.save
        save(
            {
                "step": self.step,
                "seconds": time.monotonic() - self.started,
                "peak_gpu_bytes": peak_gpu_bytes(self.device, self.peak),
                "metrics_bytes": metrics.tell(),
                "last_terms": self.last_terms,
                "bf16": self.bf16,
                "recent": list(self.monitor.recent),
                # A training begins anew with the same frozen weights.
                "model": standstill.moved(self.method.state_dict(), self.still),
                "optimizer": self.optimizer.state_dict(),
            }
        )
        self.saved = time.monotonic()

    def _restore(self) -> None:
        state, note = self.resume.load()
        if note:
            log.info("resume: %s", note)
        if state is not None:
            self.method.load_state_dict(self.method.state_dict() | state["model"], strict=True)
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.metrics_bytes = state["step"], state["metrics_bytes"]
            self.last_terms, self.bf16 = state["last_terms"], state["bf16"]
            self.seconds, self.peak = state.get("seconds", 0.0), state.get("peak_gpu_bytes", 0)
            self.monitor.recent.extend(state["recent"])

    def _summary(self, seconds: float, rate: float) -> Summary:
        cuda = self.device == "cuda"
        return Summary(
            epochs=self.spec.epochs,
            asked_epochs=self.asked_epochs,
            steps=self.step,
            seconds=round(seconds, 3),
            segments_per_s=round(rate, 3),
            peak_gpu_bytes=peak_gpu_bytes(self.device, self.peak),
            device=torch.cuda.get_device_name() if cuda else "cpu",
            precision="bf16" if self.bf16 else "tf32" if cuda and self.rounds else "fp32",
            parameters=sum(p.numel() for p in self.method.parameters()),
            trained_parameters=sum(p.numel() for p in self.trained),
            final_loss={k: float(v) for k, v in self.last_terms.items()},
        )


def _optimizer(trained: list[torch.nn.Parameter], spec: TrainSpec) -> torch.optim.Optimizer:
    common = {"lr": spec.peak_rate, "betas": spec.betas, "weight_decay": spec.weight_decay}
    if spec.optimizer == "adamw":
        return torch.optim.AdamW(trained, fused=True, **common)
    return torch.optim.Adam(trained, fused=True, amsgrad=spec.optimizer == "amsgrad", **common)


def _less_memory(spec: TrainSpec) -> str:
    # Not done unasked: contrasts and batch-norms see only the windows of a piece, so that a run
    # would depend on how much memory happened to be free.
    smaller = spec.smaller_micro_batch
    if smaller is None:
        return "no smaller micro_batch is possible: use a smaller model or a larger device"
    return f"set micro_batch: {smaller} (contrasts then see fewer negatives)"
