"""Watching a training from outside: it never selects an epoch and never changes a weight.

Every few epochs the embeddings of some windows of labelled train subjects are probed; a test
subject's windows are never looked at. At the end the trained weights are compared with their own
first ones, and what looks wrong becomes a warning.
"""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from physiome.config.monitor import MonitorSpec
from physiome.data.store.windows import WindowStore
from physiome.errors import PhysioError
from physiome.methods.base import Method
from physiome.nn.compiled import as_written
from physiome.subsets import subset_name
from physiome.training.contrasts import contrast_terms
from physiome.training.finite import sound_windows
from physiome.training.verdict import Look, verdict

RECENT = 50  # last steps that a contrast is averaged over before it is judged
OF_EACH = 64  # weights of every tensor that are compared with their first values
OFF = "the monitor is switched off (monitor: null)"


@dataclass(frozen=True)
class Sample:
    """Windows that are looked at: modality -> (n, L), their classes (n,) and subjects (n,)."""

    signals: dict[str, np.ndarray]
    labels: np.ndarray
    subjects: np.ndarray


class Monitor:
    """The monitor of one training: `begin` it with the first weights, `look` now and then.

    Args:
        spec: None: nothing is looked at.
        store: where the windows are.
        labelled: positions in its table of the labelled windows of train subjects.
        taken: the report of the training that the weights are taken from as they are; it is then
            this one's as well.
    """

    def __init__(
        self,
        spec: MonitorSpec | None,
        store: WindowStore,
        labelled: np.ndarray,
        taken: dict | None = None,
    ):
        self.spec, self.store, self.labelled, self.taken = spec, store, labelled, taken
        self.recent: deque[dict[str, float]] = deque(maxlen=RECENT)
        self.sample: Sample | None = None
        self.no_probe = OFF if spec is None else ""  # why there is no probe; empty if there is one
        self.before: Look | None = None
        self.after: Look | None = None
        self.standstill = ""  # what the training says of weights that it never moved
        self.seconds = 0.0  # spent on looking

    def begin(self, method: Method, trained: np.ndarray, at_once: int, epochs: int) -> Look | None:
        """Choose the windows and look at the first weights.

        Args:
            trained: positions of the windows trained on, looked at where no probe is possible.
            at_once: windows embedded at a time.
        """
        if self.spec is None:
            return None
        self.at_once, self.first = at_once, _some_weights(method)
        self.no_probe = method.refuses(method.modalities) if epochs else "not trained: no epochs"
        if self.no_probe:
            return None
        self._choose(self.spec.windows, method.modalities, trained)
        try:
            self.before = self._measure(method)
        except PhysioError as error:  # what cannot embed can be trained all the same
            self.no_probe, self.sample = str(error), None
        return self.before

    def due(self, epoch: int, epochs: int) -> bool:
        """Whether to look after this epoch, counted from 1."""
        if self.spec is None or self.sample is None:
            return False
        return epoch % self.spec.every_epochs == 0 or epoch == epochs

    def look(self, method: Method) -> Look | None:
        """What the embeddings are worth by the present weights; None where nothing is watched."""
        self.after = self._measure(method)
        return self.after

    def note(self, terms: Mapping[str, float]) -> None:
        """Keep what a step said of its contrasts."""
        if self.spec is not None and (found := contrast_terms(terms)):
            self.recent.append(found)

    def report(self, method: Method) -> dict:
        """What the manifest says after the last step; see `verdict`."""
        if self.taken is not None:
            return self.taken
        if self.after is None:  # resumed when all steps had been taken
            self.look(method)
        sample = self.sample
        facts = {
            "no_probe": self.no_probe or None,
            "windows": len(sample.labels) if sample else 0,
            "subjects": len(np.unique(sample.subjects)) if sample else 0,
            "seconds": round(self.seconds, 3),
        }
        return facts | verdict(self.before, self.after, list(self.recent), self.standstill)

    def _choose(self, total: int, modalities: tuple[str, ...], trained: np.ndarray) -> None:
        whole = np.all([self.store.carrying(m) for m in modalities], axis=0)
        rows = self.labelled[whole[self.labelled]]
        # A class of one subject cannot be told on another one.
        having = self.store.table.iloc[rows].groupby("label")["subject"].nunique()
        rows = rows[np.isin(self._who(rows)[1], having.index[having > 1])]
        sample = self._read(rows, total, modalities)
        classes = len(np.unique(sample.labels))
        if classes < 2:
            self.no_probe = (
                f"{classes} classes that two labelled train subjects have, in windows with "
                f"{subset_name(modalities)}: a probe needs two"
            )
            sample = self._read(trained[whole[trained]], total, modalities)
        self.sample = sample if len(sample.labels) > 1 else None

    def _who(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        table = self.store.table.iloc[rows]
        return table["subject"].to_numpy(), table["label"].to_numpy()

    def _read(self, rows: np.ndarray, total: int, modalities: tuple[str, ...]) -> Sample:
        """Some of the windows at `rows`; without those that training itself would refuse."""
        from physiome.training.quick_probe import spread_sample  # scikit-learn: slow to import

        rows = rows[spread_sample(*self._who(rows), total)]
        signals = self.store.read(rows, modalities)
        sound = np.all([sound_windows(x) for x in signals.values()], axis=0)
        subjects, labels = self._who(rows[sound])
        return Sample({m: x[sound] for m, x in signals.items()}, labels, subjects)

    def _measure(self, method: Method) -> Look | None:
        if self.sample is None:
            return None
        from physiome.training.quick_probe import effective_rank, probe_scores

        started = time.monotonic()
        x = self._embed(method, self.sample)
        found: Look = dict.fromkeys(("effective_rank", "feature_variance"))
        scores: Look = {} if self.no_probe else dict.fromkeys(("auc", "balanced_acc"))
        if np.isfinite(x).all():
            found |= {
                "effective_rank": effective_rank(x),
                "feature_variance": float(x.var(axis=0).mean()),
            }
            if scores:
                scores |= probe_scores(x, self.sample.labels, self.sample.subjects)
        self.seconds += time.monotonic() - started
        return {**scores, **found, "moved": _distance(_some_weights(method), self.first)}

    def _embed(self, method: Method, sample: Sample) -> np.ndarray:
        """(n, D) in float64; the random numbers of the training are not touched."""
        device = method.device
        parts = []
        with as_written(), torch.random.fork_rng([device] if device.type == "cuda" else []):
            for start in range(0, len(sample.labels), self.at_once):
                rows = slice(start, start + self.at_once)
                part = {m: torch.from_numpy(x[rows]).to(device) for m, x in sample.signals.items()}
                parts.append(method.embed(part).double().cpu().numpy())
        return np.concatenate(parts)


def _some_weights(method: Method) -> Tensor:
    """Weights from all over the trained ones, or all where none is, on the CPU."""
    trained = [p for p in method.parameters() if p.requires_grad] or method.parameters()
    flat = [p.detach().flatten() for p in trained]
    return torch.cat([w[:: max(1, len(w) // OF_EACH)][:OF_EACH].double().cpu() for w in flat])


def _distance(weights: Tensor, first: Tensor) -> float:
    """How far the weights are from the first ones, in units of the first ones' size."""
    return float((weights - first).norm() / first.norm().clamp_min(1e-12))
