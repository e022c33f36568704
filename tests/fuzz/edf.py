"""EDF recordings and EDF+ hypnograms: header fields, annotation lists, samples."""

import datetime
from pathlib import Path

import edfio
import numpy as np

from physiome.data.formats import open_reader
from physiome.data.formats.edf import read_annotations
from physiome.data.formats.edf_header import SIGNAL_FIELDS
from physiome.data.recording import Annotation, RawRecord
from physiome.data.sources.integrity import with_digests
from physiome.data.synthetic.write_edf import write_hypnogram
from tests.fuzz.mutate import damaged, nasty_text
from tests.fuzz.sums import must_be_noticed

START = datetime.datetime(2001, 2, 3, 22, 0, 0)
# offset and width of the fields of the first 256 bytes
MAIN_FIELDS = ((0, 8), (8, 80), (88, 80), (168, 8), (176, 8), (184, 8), (192, 44), (236, 8),
               (244, 8), (252, 4))  # fmt: skip
KINDS = ("signals.edf", "annotated.edf", "hypnogram.edf")


class Target:
    """Three files of 10 seconds, one of them damaged anew in every case."""

    cases = 10_000
    # the format has no checksum: what tells an altered file is the sum noted when it was fetched
    checked = frozenset()

    def __init__(self, folder: Path):
        self.folder = folder
        rng = np.random.default_rng(0)
        lines = [
            edfio.EdfSignal(
                rng.uniform(-190, 190, 10 * rate),
                rate,
                label=label,
                physical_dimension="uV",
                physical_range=(-200, 200),
            )
            for label, rate in (("EEG Fpz-Cz", 100), ("Temp", 1))
        ]
        stages = [Annotation(0, 5, "Sleep stage W"), Annotation(5, 5, "Sleep stage 1")]
        marks = [edfio.EdfAnnotation(a.onset_s, a.duration_s, a.text) for a in stages]
        edfio.Edf(lines, data_record_duration=5).write(folder / KINDS[0])
        edfio.Edf(lines[:1], data_record_duration=5, annotations=marks).write(folder / KINDS[1])
        write_hypnogram(folder / KINDS[2], stages, START)
        self.files = {kind: (folder / kind).read_bytes() for kind in KINDS}
        self.noted = {k: with_digests(RawRecord(k, "s", str(folder / k))) for k in KINDS}
        self.known = {kind: self._read(kind) for kind in KINDS}

    def case(self, rng: np.random.Generator) -> tuple[str, str]:
        """Damage one file and read it; what kind it was, and the outcome."""
        kind = KINDS[int(rng.integers(len(KINDS)))]
        whole = self.files[kind]
        data = _field(whole, rng) if rng.random() < 0.5 else damaged(whole, rng)
        (self.folder / kind).write_bytes(data)
        if data != whole:
            must_be_noticed(self.noted[kind])
        found = self._read(kind)
        same = all(
            np.array_equal(a, b, equal_nan=True)
            for a, b in zip(found, self.known[kind], strict=False)
        )
        return kind, "same" if same and len(found) == len(self.known[kind]) else "other"

    def _read(self, kind: str) -> list[np.ndarray]:
        path = self.folder / kind
        found = []
        if kind != "signals.edf":
            texts, start = read_annotations(path)
            found.append(np.array([(a.onset_s, a.duration_s) for a in texts] + [(start or 0, 0)]))
            found.append(np.array([a.text for a in texts], dtype="U64").view(np.uint32))
        if kind != "hypnogram.edf":
            reader = open_reader(path)
            for name, channel in reader.channels().items():
                found += [np.array([channel.rate_hz]), reader.read(name)]
        return found


def _field(data: bytes, rng: np.random.Generator) -> bytes:
    """One or two fields of the header hold something else, or what another field holds."""
    count = len(data[252:256]) and int(data[252:256])
    fields, place = list(MAIN_FIELDS), 256
    for _, width in SIGNAL_FIELDS:
        fields += [(place + width * number, width) for number in range(count)]
        place += width * count
    for _ in range(int(rng.integers(1, 3))):
        first, width = fields[int(rng.integers(len(fields)))]
        new = nasty_text(rng, width)
        if rng.random() < 0.3:
            other, length = fields[int(rng.integers(len(fields)))]
            new = data[other : other + length][:width].ljust(width)
        data = data[:first] + new + data[first + width :]
    return data
