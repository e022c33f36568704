"""Batches of windows: all of one pattern of modalities, read ahead of the device.

Windows that really lack a modality are batched together, so that a batch stays rectangular and a
missing modality is a missing key; a few of them share a batch with others that are seen as if they
lacked it, too.
"""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from physiome.data.store.windows import WindowStore


def patterns(store: WindowStore, index: np.ndarray) -> list[tuple[tuple[str, ...], np.ndarray]]:
    """Split windows by the modalities they really have: (modalities, positions), fullest first."""
    have = np.stack([store.carrying(m)[index] for m in store.modalities], axis=1)  # (n, M)
    found, which = np.unique(have, axis=0, return_inverse=True)
    order = sorted(range(len(found)), key=lambda i: (-found[i].sum(), *~found[i]))
    return [
        (tuple(np.compress(found[i], store.modalities).tolist()), index[which == i])
        for i in order
        if found[i].any()
    ]


Batch = tuple[tuple[str, ...], np.ndarray]  # modalities, window positions


def training_batches(groups: Sequence[Batch], size: int, seed: int, epoch: int) -> list[Batch]:
    """The shuffled batches of one epoch, each of one pattern; the same for the same seed and epoch.

    A pattern's last, incomplete batch is left out: contrastive losses and batch-norm change with
    the batch's size. A rare pattern, which fills no batch at all, is filled up with windows that
    carry more, seen without what the rare ones lack: a step on a handful of windows would weigh as
    much as any other and have next to nothing to tell apart. Only if there are no such windows is
    a batch smaller. A batch of one window is never made.
    """
    rng = np.random.default_rng([seed, epoch])
    batches: list[Batch] = []
    for modalities, index in groups:
        shuffled = rng.permutation(index)
        whole = len(index) // size * size
        if whole:
            pieces = np.split(shuffled[:whole], whole // size)
        else:
            richer = [i for m, i in groups if set(m) > set(modalities)]
            pool = rng.permutation(np.concatenate([index[:0], *richer]))
            pieces = [np.concatenate([shuffled, pool[: size - len(shuffled)]])]
        batches += [(modalities, piece) for piece in pieces if len(piece) >= 2]
    return [batches[i] for i in rng.permutation(len(batches))]


def ordered_batches(groups: Sequence[Batch], size: int) -> list[Batch]:
    """All windows in table order, for embedding."""
    return [
        (modalities, index[i : i + size])
        for modalities, index in groups
        for i in range(0, len(index), size)
    ]


def prefetch(
    store: WindowStore, batches: Sequence[Batch], ready: int = 3
) -> Iterator[tuple[Batch, dict[str, np.ndarray]]]:
    """Read batches in a thread, at most `ready` ahead, so that no device waits for the disk."""
    filled: queue.Queue = queue.Queue(maxsize=ready)
    stopped = threading.Event()

    def fill() -> None:
        try:
            for batch in batches:
                if stopped.is_set():
                    return
                _put(filled, (batch, store.read(batch[1], batch[0])), stopped.is_set)
            _put(filled, None, stopped.is_set)
        except BaseException as error:  # handed to the consumer, which raises it
            _put(filled, error, stopped.is_set)

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    try:
        while (item := filled.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()


def _put(target: queue.Queue, item: object, stopped: Callable[[], bool]) -> None:
    while not stopped():
        try:
            return target.put(item, timeout=0.1)
        except queue.Full:
            continue
