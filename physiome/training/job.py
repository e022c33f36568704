"""One training job: windows of a fold's pretrain subjects in, weights with a manifest out."""

import hashlib
import json
import logging
import platform
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from physiome.config.agreement import Owner
from physiome.config.gpu import GpuSpec
from physiome.config.monitor import MonitorSpec
from physiome.config.training import TrainSpec
from physiome.data.store.batches import Batch
from physiome.data.store.windows import WindowStore
from physiome.files import atomic_path, digest
from physiome.methods.base import Method
from physiome.nn.compiled import compile_blocks
from physiome.provenance import code
from physiome.training.checkpoint import ResumeState, save_weights
from physiome.training.loop import fit
from physiome.training.manifest import Manifest
from physiome.training.monitor import Monitor
from physiome.training.rehearsal import WINDOWS, rehearse
from physiome.training.runtime import peak_rss_bytes
from physiome.training.standstill import require_weights

log = logging.getLogger(__name__)

CODE = (__name__, "physiome.methods.build")  # of every training, beside its method's
SAMPLE = 1024  # windows that input statistics of images are taken from


def train_to_file(
    build: Callable[[], Method],
    store: WindowStore,
    groups: Sequence[Batch],
    settings: dict,
    spec: TrainSpec,
    device: str,
    output: Path,
    owner: Owner,
    role: str,
    save_every_s: float = 300.0,
    labels: np.ndarray | None = None,
    monitor: Monitor | None = None,
    rehearsed: bool = False,
    gpu: GpuSpec | None = None,
) -> None:
    """Train what `build` makes and write `output` (.safetensors), its manifest, its metrics.

    Args:
        settings: all that the result depends on besides data and code; bound to the resume state.
        role: of the subjects that are learned from, for the manifest.
        labels: class of every window of the store, for methods that learn from labels.
        monitor: what watches; see `watch`.
        rehearsed: try the method on two windows first.
        gpu: what is compiled, and kept on the device; None: nothing.
    """
    monitor, gpu = monitor or Monitor(None, store, np.arange(0)), gpu or GpuSpec()
    method = _begun(build, store, groups, spec)
    if rehearsed and spec.epochs:
        rehearse(method, *_two_windows(store, groups, labels))
    if gpu.compile and spec.epochs:
        compile_blocks(method, device)
    data, source = data_digest(store, groups), code(*CODE, type(method).__module__)
    # Another version of torch may round otherwise: half a training by each would be neither's.
    bound = {"data": data, "code": source, "device": device, "torch": torch.__version__}
    identity = digest(bound | {"settings": settings})
    state, title = ResumeState(output, identity), " ".join(map(str, owner))
    with state.held():
        besides = {"labels": labels, "monitor": monitor, "keep_gb": gpu.keep_gb}
        took = fit(method, store, groups, spec, device, state, title, save_every_s, **besides)
        watched = monitor.report(method)
        _warn(watched["warnings"], title)
        manifest = Manifest(
            *owner,
            role=role,
            settings=settings,
            shards=store.settings_digest,
            data=data,
            code=source,
            identity=identity,
            training=took,
            monitor=watched,
            **_process(),
        )
        _write(output, method, manifest, state)
        state.clear()
    log.info("%s done %s", title, json.dumps(took.final_loss))


def _begun(
    build: Callable[[], Method], store: WindowStore, groups: Sequence[Batch], spec: TrainSpec
) -> Method:
    """The method with its first weights and the constants of its windows."""
    torch.manual_seed(spec.seed)
    method = build()
    set_constants(method, store, np.unique(np.concatenate([i for _, i in groups])))
    method.begin()
    require_weights(method, spec.epochs)
    return method


def _warn(texts: Sequence[str], title: str) -> None:
    for text in texts:
        log.warning("%s %s", title, text)


def _write(output: Path, method: Method, manifest: Manifest, state: ResumeState) -> None:
    """Weights with their manifest, and the metrics."""
    save_weights(output, method, manifest.plain())
    with atomic_path(output.with_suffix(".metrics.jsonl")) as temporary:
        shutil.copyfile(state.metrics, temporary)  # a rerun after a crash here needs its own


def _process() -> dict[str, Any]:
    """Where a training ran and what its process took."""
    return {
        "torch": torch.__version__,
        "host": platform.node(),
        "peak_rss_bytes": peak_rss_bytes(),
        "cpu_s": time.process_time(),
    }


def _two_windows(
    store: WindowStore, groups: Sequence[Batch], labels: np.ndarray | None
) -> tuple[dict[str, torch.Tensor], torch.Tensor | None]:
    """Two windows of the modalities that most of them carry, and their classes."""
    modalities, positions = max(groups, key=lambda group: len(group[0]))
    chosen = np.resize(positions, WINDOWS)
    signals = {m: torch.from_numpy(x) for m, x in store.read(chosen, modalities).items()}
    return signals, None if labels is None else torch.from_numpy(labels[chosen]).long()


def watch(
    settings: str | None, store: WindowStore, roles: np.ndarray, taken: dict | None = None
) -> Monitor:
    """The monitor of a training on a fold.

    Args:
        settings: of the section `monitor`, as JSON; None or null: nothing is looked at.
        roles: of each window; only those of labelled train subjects are ever looked at.
        taken: the report of the training whose weights are taken as they are; None: of none.
    """
    spec = None
    if settings is not None and settings != "null":
        spec = MonitorSpec.parse_text(settings, "monitor")
    labelled = (roles == "train") & (store.table["label"].to_numpy() >= 0)
    return Monitor(spec, store, np.flatnonzero(labelled), taken)


def set_constants(method: Method, store: WindowStore, index: np.ndarray) -> None:
    """Give a method the constants of its inputs, measured on the windows at `index`."""
    method.set_scaling({m: store.scaling(index, m) for m in method.modalities})
    if method.calibrated:
        method.calibrate(sample(store, index, method.modalities))


def sample(
    store: WindowStore, index: np.ndarray, modalities: Sequence[str]
) -> dict[str, torch.Tensor]:
    """Up to SAMPLE windows (n, L) of each modality, evenly spread over those that carry it."""
    found = {}
    for m in modalities:
        having = index[store.carrying(m)[index]]
        chosen = having[np.unique(np.linspace(0, len(having) - 1, SAMPLE).astype(int))]
        found[m] = torch.from_numpy(store.read(chosen, (m,))[m])
    return found


def data_digest(store: WindowStore, groups: Sequence[Batch]) -> str:
    """A hash over the windows trained on: settings of the shards; every window's identity, class,
    and of each modality whether it is there and how its samples are spread.
    """
    index = np.concatenate([positions for _, positions in groups])
    rows = store.table.iloc[index]
    windows = hashlib.sha256("\n".join(rows["record"]).encode())
    names = sorted({m for modalities, _ in groups for m in modalities})
    facts = [f"{kind}_{m}" for m in names for kind in ("has", "leads", "mean", "var")]
    for column in ("number", "onset_s", "label", *(name for name in facts if name in rows)):
        windows.update(rows[column].to_numpy().tobytes())
    shapes = [[list(modalities), len(positions)] for modalities, positions in groups]
    return digest([store.settings_digest, shapes, windows.hexdigest()])
