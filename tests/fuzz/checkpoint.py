"""Weights (safetensors), states of a training, and files of heads."""

import json
from pathlib import Path

import numpy as np
import torch

from physiome.evaluation.heads import LinearHead
from physiome.evaluation.heads_file import load_heads, save_heads
from physiome.training.checkpoint import ResumeState, read_weights, save_weights
from tests.fuzz.mutate import NASTY_NUMBERS, damaged

KINDS = ("weights", "header", "state", "forged", "heads")
DTYPES = ("F64", "F32", "F16", "BF16", "I64", "U8", "BOOL", "F8_E4M3", "F4", "", "X")


class Target:
    """A small model, its state and two heads."""

    cases = 2_000
    checked = frozenset({"state", "weights", "header"})  # their sums are noted as they are saved

    def __init__(self, folder: Path):
        self.folder = folder
        torch.manual_seed(0)
        model = torch.nn.Linear(8, 3)
        save_weights(folder / "w.safetensors", model, {"name": "small"})
        self.state = ResumeState(folder / "w.safetensors", "identity")
        self.state.folder.mkdir()
        self.state.save({"model": model.state_dict(), "step": 3})
        head = LinearHead(np.zeros(8), np.ones(8), np.ones((3, 8)), np.zeros(3))
        save_heads(folder / "heads.npz", {"a": head, "a+b": head}, {"fold": 1})
        paths = (folder / "w.safetensors", self.state.path, folder / "heads.npz")
        self.weights, self.saved, self.heads = (path.read_bytes() for path in paths)
        self.digests = self.state.digests.read_bytes()
        self.known = {kind: self._load(kind) for kind in KINDS}

    def case(self, rng: np.random.Generator) -> tuple[str, str]:
        """Damage one file and load it."""
        kind = KINDS[int(rng.integers(len(KINDS)))]
        if kind in ("weights", "header"):
            data = (_header if kind == "header" else damaged)(self.weights, rng)
            (self.folder / "w.safetensors").write_bytes(data)
        elif kind == "heads":
            (self.folder / "heads.npz").write_bytes(damaged(self.heads, rng))
        else:
            self.state.path.write_bytes(damaged(self.saved, rng))
            self.state.digests.write_bytes(self.digests)
            if kind == "forged":  # as by someone who can write to the folder
                self.state._note_digest(self.state.path)
        found = self._load(kind)
        if found is None:
            return kind, "refused"
        return kind, "same" if _equal(found, self.known[kind]) else "other"

    def _load(self, kind: str):
        if kind in ("weights", "header"):
            found, _ = read_weights(self.folder / "w.safetensors")
            return {name: t.clone() for name, t in found.items()}  # else mapped to what is next
        if kind == "heads":
            loaded = load_heads(self.folder / "heads.npz")
            return {f"{n}/{p}": v for n, head in loaded.items() for p, v in vars(head).items()}
        state, _ = self.state.load()
        return None if state is None else {**state.pop("model", {}), **state}


def _equal(found: dict, known: dict) -> bool:
    return found.keys() == known.keys() and all(
        np.array_equal(np.asarray(found[k]), np.asarray(known[k])) for k in known
    )


def _header(data: bytes, rng: np.random.Generator) -> bytes:
    """The same tensors under a header that lies about them."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    name = str(rng.choice(["weight", "bias"]))
    nasty = int(rng.choice(NASTY_NUMBERS)) * int(rng.choice([-1, 1, 2**31]))
    choice = int(rng.integers(8))
    if choice == 0:
        header[name]["data_offsets"][int(rng.integers(2))] = nasty
    elif choice == 1:
        header[name]["data_offsets"] = header["bias" if name == "weight" else "weight"][
            "data_offsets"
        ]
    elif choice == 2:
        header[name]["dtype"] = str(rng.choice(DTYPES))
    elif choice == 3:
        header[name]["shape"] = [nasty] * int(rng.integers(4))
    elif choice == 4:
        header["__metadata__"]["manifest"] = "[" * int(rng.integers(1, 50_000))
    elif choice == 5:
        header["__metadata__"] = {"manifest": str(rng.choice(["null", "[]", "3", "{", "NaN"]))}
    text = json.dumps(header).encode()
    if choice == 6:
        text = b'{"a":' * int(rng.integers(1, 20_000)) + text
    claimed = len(text) if choice < 7 else abs(nasty) * int(rng.choice([1, 2**20]))
    return (claimed % 2**64).to_bytes(8, "little") + text + data[8 + length :]
