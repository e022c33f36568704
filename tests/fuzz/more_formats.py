"""Recordings in formats that others decode: whatever they stumble over is one line of ours."""

from pathlib import Path

import numpy as np

from physiome.data.formats import holds_annotations, open_reader, read_annotations
from physiome.data.formats.companions import companions
from physiome.data.recording import RawRecord
from physiome.data.sources.integrity import with_digests
from tests.data.format_files import WRITERS
from tests.fuzz.mutate import damaged
from tests.fuzz.sums import must_be_noticed

KINDS = tuple(WRITERS)


class Target:
    """A whole recording of each format, one file of it damaged anew in every case."""

    cases = 4_000
    checked = frozenset()  # no format has a checksum: the sum noted when it was fetched tells

    def __init__(self, folder: Path):
        self.folder = folder
        self.files: dict[str, dict[Path, bytes]] = {}
        for kind, write in WRITERS.items():
            path = folder / kind
            write(path)
            own = [path, *(p for p in companions(path) if p.is_file())]
            self.files[kind] = {p: p.read_bytes() for p in own}
        self.noted = {k: with_digests(RawRecord(k, "s", str(folder / k))) for k in KINDS}
        self.known = {kind: self._read(kind) for kind in KINDS}

    def case(self, rng: np.random.Generator) -> tuple[str, str]:
        """Damage one file of a recording and read it; its format, and the outcome."""
        kind = KINDS[int(rng.integers(len(KINDS)))]
        own = self.files[kind]
        path = list(own)[int(rng.integers(len(own)))]
        data = damaged(own[path], rng)
        path.write_bytes(data)
        try:
            if data != own[path]:
                must_be_noticed(self.noted[kind])
            found = self._read(kind)
        finally:
            path.write_bytes(own[path])
        known = self.known[kind]
        pairs = zip(found, known, strict=False)
        same = len(found) == len(known) and all(
            np.array_equal(a, b, equal_nan=True) for a, b in pairs
        )
        return kind, "same" if same else "other"

    def _read(self, kind: str) -> list[np.ndarray]:
        path = self.folder / kind
        marks, start = read_annotations(path) if holds_annotations(path) else ([], None)
        found = [np.array([(a.onset_s, a.duration_s) for a in marks] + [(start or 0, 0)])]
        reader = open_reader(path)
        for name, channel in reader.channels().items():
            found += [np.array([channel.rate_hz]), reader.read(name)]
        return found
