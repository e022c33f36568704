"""Writing `.vital` files: 16-bit waveform tracks, the same bytes for the same values."""

import gzip
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from vitaldb.utils import TYPE_WAV, Device, Track, VitalFile

from physiome.files import atomic_path

FORMAT_INT16 = 5  # code of the sample format
LARGEST = 32767  # -32768 means "no sample"
PACKET_S = 1  # Vital Recorder stores a waveform in packets of about a second


@dataclass(frozen=True)
class Wave:
    """One waveform track."""

    values: np.ndarray  # (samples,) in `unit`
    rate_hz: float
    unit: str
    gain: float  # size of a step, in `unit`
    display: tuple[int, int]  # range of values that a viewer shows


def write_vital(path: str | Path, tracks: Mapping[str, Wave], start_s: float) -> None:
    """Write waveforms called `device/track` as a `.vital` file, atomically.

    Args:
        start_s: time of the first sample, seconds since the epoch; a whole number keeps the times
            of packets exact.
    """
    file = VitalFile()
    for name, wave in tracks.items():
        device, short = name.split("/")
        file.devs.setdefault(device, Device(device))
        file.trks[name] = Track(
            short,
            TYPE_WAV,
            fmt=FORMAT_INT16,
            srate=wave.rate_hz,
            unit=wave.unit,
            gain=wave.gain,
            mindisp=wave.display[0],
            maxdisp=wave.display[1],
            dname=device,
            recs=_packets(wave, start_s),
        )
    file.dtstart = start_s
    file.dtend = start_s + max(len(w.values) / w.rate_hz for w in tracks.values())
    with tempfile.TemporaryDirectory() as folder, atomic_path(path) as temporary:
        raw = Path(folder) / "case.vital"
        file.to_vital(str(raw), compresslevel=0, packed=False)
        # Compress again: vitaldb's gzip header holds the time of writing and the file's name.
        content = gzip.decompress(raw.read_bytes())
        temporary.write_bytes(gzip.compress(content, compresslevel=3, mtime=0))


def _packets(wave: Wave, start_s: float) -> list[dict]:
    steps = np.clip(np.round(wave.values / wave.gain), -LARGEST, LARGEST).astype("<i2")
    size = round(wave.rate_hz * PACKET_S)
    return [
        {"dt": start_s + first / wave.rate_hz, "val": steps[first : first + size]}
        for first in range(0, len(steps), size)
    ]
