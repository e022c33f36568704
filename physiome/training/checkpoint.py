"""Weights for exchange (safetensors with a manifest) and state for resuming (own files only)."""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from physiome.errors import DataError, TrainingError
from physiome.files import atomic_path, file_digest, write_errors, write_json
from physiome.locks import lock_if_free

LARGEST_HEADER = 10 << 20  # bytes; 1,000 tensors and their manifest take 0.2 MB
# What safetensors, json and torch raise on a file that is not ours
UNREADABLE = (
    SafetensorError, KeyError, ValueError, TypeError, OverflowError, RuntimeError, OSError,
)  # fmt: skip


def save_weights(path: str | Path, module: nn.Module, manifest: dict[str, Any]) -> None:
    """Write all parameters and buffers as safetensors, and the manifest inside and beside it.

    The file also holds the SHA-256 of both: the format itself does not notice a changed byte.
    """
    tensors = {name: t.detach().cpu().contiguous() for name, t in module.state_dict().items()}
    needed = sum(t.nbytes for t in tensors.values())
    text = json.dumps(manifest, sort_keys=True)
    facts = {"manifest": text, "sha256": _sum(tensors, text)}
    with atomic_path(path, needed) as temporary:
        try:
            save_file(tensors, temporary, facts)
        except SafetensorError as error:
            if number := re.search(r"os error (\d+)", str(error)):  # its only trace of the reason
                raise OSError(int(number[1]), str(error)) from None
            raise
    write_json(Path(path).with_suffix(".json"), manifest)


def read_weights(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors by name, and the manifest. Nothing but safetensors is ever opened.

    Raises:
        DataError: if the file is missing, damaged, or not a safetensors file of ours.
    """
    try:
        _check_header(path)
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
            manifest = json.loads(facts["manifest"])
            if not isinstance(manifest, dict):
                raise ValueError("its manifest is no table")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if _sum(tensors, facts["manifest"]) != facts["sha256"]:
            raise ValueError("it was altered or damaged: its content has another sum")
        return tensors, manifest
    except FileNotFoundError:
        raise DataError("weights are missing", where=path, do="train the model first") from None
    except UNREADABLE as error:
        raise DataError(
            "not a weights file of physiome",
            where=path,
            why=" ".join(str(error).split()),
            do="give a .safetensors file that `physiome train` wrote",
        ) from None


def _sum(tensors: dict[str, torch.Tensor], manifest: str) -> str:
    """SHA-256 of the manifest and of every tensor's name, type, shape and bytes."""
    found = hashlib.sha256(manifest.encode())
    for name, t in sorted(tensors.items()):
        found.update(f"{name} {t.dtype} {tuple(t.shape)}".encode())
        found.update(t.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _check_header(path: str | Path) -> None:
    """Refuse a header that would take far more memory to read than weights of ours need."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > LARGEST_HEADER:
        raise ValueError(f"its header claims {length} bytes")


def load_weights(module: nn.Module, path: str | Path, prefix: str = "") -> dict[str, Any]:
    """Load the tensors whose names begin with `prefix` into `module`, every one by name.

    Returns:
        The manifest.

    Raises:
        DataError: if names or shapes do not match exactly.
    """
    tensors, manifest = read_weights(path)
    chosen = {
        name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)
    }
    try:
        module.load_state_dict(chosen, strict=True)
    except RuntimeError as error:
        raise DataError(
            "weights do not fit the configured architecture",
            where=path,
            why=" ".join(str(error).split())[:300],
            do="use the settings they were trained with",
        ) from None
    return manifest


class ResumeState:
    """Progress of one training beside its output, in an undeclared `<output>.resume/` folder.

    Bound to an identity (settings, code, data): state of another identity is set aside, not loaded.
    The state before the last is kept, in case the last one was damaged: torch's reader does not
    notice a changed byte, so a state must have one of the digests that were noted as it was saved.
    """

    def __init__(self, output: Path, identity: str):
        self.folder = output.with_name(output.name + ".resume")
        self.identity = identity
        self.path, self.previous = self.folder / "state.pt", self.folder / "state.previous.pt"
        self.metrics, self.digests = self.folder / "metrics.jsonl", self.folder / "digests"
        self.writer = ThreadPoolExecutor(max_workers=1)  # its thread starts with its first task
        self.writing: Future[None] | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder: a process that survived a kill may still be writing to it.

        Raises:
            TrainingError: if another process holds it.
        """
        path = self.folder / "lock"
        with ExitStack() as held:
            with write_errors(path):
                self.folder.mkdir(parents=True, exist_ok=True)
                mine = held.enter_context(lock_if_free(path))
            if not mine:
                raise TrainingError(
                    "another process is training this model",
                    where=self.folder,
                    do="wait for it, or end it and run again; without one remove lock* there",
                )
            try:
                yield
            finally:
                self.writer.shutdown()  # nobody else may begin while a state is being written

    def save_beside(self, state: dict[str, Any]) -> None:
        """As `save` of a copy made now, in a thread. Its error is raised by the next call.

        Raises:
            PhysioError: the state before it could not be written.
        """
        self.wait()
        self.writing = self.writer.submit(self.save, _copied(state))

    def wait(self) -> None:
        """Until what is being written lies on the disk.

        Raises:
            PhysioError: it could not be written.
        """
        if self.writing is not None:
            self.writing.result()
        self.writing = None

    def save(self, state: dict[str, Any]) -> None:
        """Write the state; the last one becomes the previous one."""
        with atomic_path(self.path, _bytes_of(state)) as temporary:
            # Torch hides the errors of files it opens itself. It takes every write for complete, as
            # those of a buffered file are; a bare one takes 2 GiB at once, or what the disk holds.
            with open(temporary, "wb") as file:
                torch.save({**state, "identity": self.identity}, file)
                file.flush()
                os.fsync(file.fileno())  # before the last good state gives way
            self._note_digest(temporary)  # before the move: whatever is at `path` has its digest
            if self.path.exists():
                os.replace(self.path, self.previous)

    def load(self) -> tuple[dict[str, Any] | None, str]:
        """The newest usable state, or None, and a note on what was found."""
        notes = []
        known = self.digests.read_text(errors="replace").split() if self.digests.exists() else []
        for path in (self.path, self.previous):
            if not path.exists():
                continue
            if file_digest(path) not in known:
                notes.append(f"{path.name} is damaged")
                continue
            state = _read_state(path)
            if state is None:
                notes.append(f"{path.name} is no state of a training")
                continue
            if state.get("identity") == self.identity:
                return state, "; ".join([*notes, f"resumed from {path.name}"])
            notes.append(f"{path.name} belongs to other settings, code or data and is set aside")
            os.replace(path, path.with_suffix(".foreign"))
        return None, "; ".join(notes)

    def _note_digest(self, path: Path) -> None:
        with open(self.digests, "a") as file:
            file.write(f"\n{file_digest(path)}\n")  # a line cut by a full disk stays alone
            file.flush()
            os.fsync(file.fileno())

    def clear(self) -> None:
        """Remove the folder's files after the output is in place.

        After a kill in the midst of it what is left is a state with its metrics, or no state.
        """
        last = [self.digests, self.metrics]
        files = [file for file in self.folder.iterdir() if file not in last]
        for file in [*files, *last]:
            file.unlink(missing_ok=True)
        with suppress(OSError):  # not empty: another process has begun since its lock is gone
            self.folder.rmdir()


def _read_state(path: Path) -> dict[str, Any] | None:
    """Tensors and plain values; None for anything else. No code in the file is ever run."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception:  # torch raises of every kind on a file that is not its own
        return None
    return state if isinstance(state, dict) else None


def _copied(value: Any) -> Any:
    """Nested dictionaries and lists with copies of all tensors on the CPU."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def _bytes_of(value: Any) -> int:
    """Bytes of all tensors in nested dictionaries."""
    if isinstance(value, torch.Tensor):
        return value.nbytes
    return sum(map(_bytes_of, value.values())) if isinstance(value, dict) else 0
