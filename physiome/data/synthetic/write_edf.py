"""Writing EDF files in the layout of Sleep-EDF: signals (EDF) and hypnograms (EDF+)."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import edfio
import numpy as np

from physiome.data.recording import Annotation
from physiome.files import atomic_path

RECORD_S = 30  # length of a data record


@dataclass(frozen=True)
class Signal:
    """What the header of a cassette recording says about one signal."""

    rate_hz: float
    unit: str
    physical: tuple[float, float]  # range of values, in `unit`
    digital: tuple[int, int]  # range of stored values
    transducer: str = ""
    prefilter: str = ""


_CASSETTE = "HP:0.5Hz LP:100Hz [enhanced cassette BW]"
# names, order, rates, units and ranges as in the header of SC4001E0-PSG.edf
CASSETTE_LINES = {
    "EEG Fpz-Cz": Signal(100, "uV", (-192, 192), (-2048, 2047), "Ag-AgCl electrodes", _CASSETTE),
    "EEG Pz-Oz": Signal(100, "uV", (-197, 196), (-2048, 2047), "Ag-AgCl electrodes", _CASSETTE),
    "EOG horizontal": Signal(
        100, "uV", (-1009, 1009), (-2048, 2047), "Ag-AgCl electrodes", _CASSETTE
    ),
    "Resp oro-nasal": Signal(
        1, "", (-2048, 2047), (-2048, 2047), "Oral-nasal thermistors", "HP:0.03Hz LP:0.9Hz"
    ),
    "EMG submental": Signal(
        1, "uV", (-5, 5), (-2500, 2500), "Ag-AgCl electrodes", "HP:16Hz Rectification LP:0.7Hz"
    ),
    "Temp rectal": Signal(1, "DegC", (34, 40), (-2849, 2731), "Rectal thermistor"),
    "Event marker": Signal(
        1, "", (-2047, 2048), (-2047, 2048), "Marker button", "Hold during 2 seconds"
    ),
}


def write_psg(
    path: str | Path, signals: Mapping[str, np.ndarray], start: datetime.datetime
) -> None:
    """Write signals of a night as EDF with data records of 30 s, atomically.

    Args:
        signals: name in `CASSETTE_LINES` -> (samples,) in the unit there, whole data records;
            values outside the signal's range are stored as its end, as an amplifier does.
    """
    lines = []
    for name, values in signals.items():
        line = CASSETTE_LINES[name]
        lines.append(
            edfio.EdfSignal(
                np.clip(values, *line.physical),
                line.rate_hz,
                label=name,
                physical_dimension=line.unit,
                physical_range=line.physical,
                digital_range=line.digital,
                transducer_type=line.transducer,
                prefiltering=line.prefilter,
            )
        )
    _write(path, edfio.Edf(lines, data_record_duration=RECORD_S, **_identity(start)))


def write_hypnogram(
    path: str | Path, stages: Sequence[Annotation], start: datetime.datetime
) -> None:
    """Write annotations as an EDF+ file without signals, atomically."""
    annotations = [edfio.EdfAnnotation(a.onset_s, a.duration_s, a.text) for a in stages]
    _write(path, edfio.Edf([], annotations=annotations, **_identity(start)))


def _identity(start: datetime.datetime) -> dict:
    return {
        "patient": edfio.Patient(),
        "recording": edfio.Recording(startdate=start.date()),
        "starttime": start.time(),
    }


def _write(path: str | Path, edf: edfio.Edf) -> None:
    with atomic_path(path) as temporary:
        edf.write(temporary)
