"""`.vital` files: their compressed bytes, whose sum is known, and the packets inside."""

import gzip
from pathlib import Path

import numpy as np
import vitaldb

from physiome.data.formats import open_reader
from physiome.data.synthetic.write_vital import Wave, write_vital
from tests.fuzz.mutate import damaged, duplicate, number, remove, swap

PACKET_INJURIES = (number, number, damaged, swap, duplicate, remove)


class Target:
    """Two files of 10 seconds, one in each of the two layouts."""

    cases = 10_000
    checked = frozenset({"gzip"})  # a changed byte of these must be refused, or change nothing

    def __init__(self, folder: Path):
        self.path = folder / "case.vital"
        rng = np.random.default_rng(0)
        waves = {
            "SNUADC/ART": Wave(rng.normal(80, 20, 1000), 100, "mmHg", 0.1, (0, 200)),
            "SNUADC/ECG_II": Wave(rng.normal(0, 1, 500), 50, "mV", 0.001, (-1, 1)),
        }
        write_vital(self.path, waves, 1_600_000_000.0)
        whole = self.path.read_bytes()
        vitaldb.VitalFile(str(self.path)).to_vital(str(self.path), packed=True)
        content = gzip.decompress(self.path.read_bytes())
        self.files = [whole, gzip.compress(content, compresslevel=3, mtime=0)]
        self.known = [self._read(file) for file in self.files]

    def case(self, rng: np.random.Generator) -> tuple[str, str]:
        """Damage one file outside or inside its compression and read it."""
        which = int(rng.integers(2))
        if rng.random() < 0.5:
            kind, data = "gzip", damaged(self.files[which], rng)
        else:
            content = gzip.decompress(self.files[which])
            content = PACKET_INJURIES[int(rng.integers(len(PACKET_INJURIES)))](content, rng)
            kind, data = "packets", gzip.compress(content, compresslevel=1, mtime=0)
        found, known = self._read(data), self.known[which]
        same = found.keys() == known.keys() and all(
            np.array_equal(found[name], known[name], equal_nan=True) for name in known
        )
        return kind, "same" if same else "other"

    def _read(self, data: bytes) -> dict[str, np.ndarray]:
        self.path.write_bytes(data)
        reader = open_reader(self.path)
        found = {name: reader.read(name) for name in reader.channels()}
        times = [reader.start or 0.0, reader.duration_s]
        return found | {"": np.array(times + [c.rate_hz for c in reader.channels().values()])}
