"""One recording of two channels in every format that has a writer here, and what is in it."""

import datetime
import json
from collections.abc import Callable
from pathlib import Path

import edfio
import mne
import numpy as np
import pandas as pd
import scipy.io

RATE_HZ, SECONDS = 100, 20
NAMES = ("EEG F3", "ECG")
MARKS = ((0.0, 10.0, "rest"), (10.0, 10.0, "sums"))
START = datetime.datetime(2001, 2, 3, 22, 0, 0)


def microvolts() -> np.ndarray:
    """(2, samples): what every file holds, up to its rounding."""
    return np.random.default_rng(0).uniform(-150, 150, (2, RATE_HZ * SECONDS))


def bdf(path: Path) -> None:
    signals = [
        edfio.BdfSignal(x, RATE_HZ, label=name, physical_dimension="uV", physical_range=(-200, 200))
        for name, x in zip(NAMES, microvolts(), strict=True)
    ]
    marks = [edfio.EdfAnnotation(*mark) for mark in MARKS]
    edfio.Bdf(signals, annotations=marks).write(path)


def brainvision(path: Path) -> None:
    data, marker = path.with_suffix(".eeg"), path.with_suffix(".vmrk")
    samples = microvolts().T.astype("<f4")
    data.write_bytes(samples.tobytes())
    at = [round(on * RATE_HZ) + 1 for on, _, _ in MARKS]
    lengths = [round(for_s * RATE_HZ) for _, for_s, _ in MARKS]
    marks = ["Mk1=New Segment,,1,1,0,20010203220000000000"]
    marks += [
        f"Mk{i + 2}=Comment,{text},{first},{length},0"
        for i, ((_, _, text), first, length) in enumerate(zip(MARKS, at, lengths, strict=True))
    ]
    marker.write_text(
        "BrainVision Data Exchange Marker File, Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={data.name}\n\n[Marker Infos]\n" + "\n".join(marks) + "\n"
    )
    channels = [f"Ch{i + 1}={name},,1,µV" for i, name in enumerate(NAMES)]
    path.write_text(
        "BrainVision Data Exchange Header File Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={data.name}\nMarkerFile={marker.name}\nDataFormat=BINARY\n"
        f"DataOrientation=MULTIPLEXED\nNumberOfChannels={len(NAMES)}\n"
        f"SamplingInterval={1e6 / RATE_HZ:g}\n\n[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n\n"
        "[Channel Infos]\n" + "\n".join(channels) + "\n",
        encoding="utf-8",
    )


def fif(path: Path) -> None:
    info = mne.create_info(list(NAMES), RATE_HZ, ["eeg", "ecg"])
    raw = mne.io.RawArray(microvolts() / 1e6, info, verbose="ERROR")
    raw.set_meas_date(START.replace(tzinfo=datetime.UTC))
    onsets, lengths, texts = zip(*MARKS, strict=True)
    raw.set_annotations(mne.Annotations(onsets, lengths, texts, orig_time=raw.info["meas_date"]))
    raw.save(path, fmt="double", overwrite=True, verbose="ERROR")


def eeglab(path: Path) -> None:
    places = [{"labels": name} for name in NAMES]
    events = [
        {"type": text, "latency": on * RATE_HZ + 1, "duration": for_s * RATE_HZ}
        for on, for_s, text in MARKS
    ]
    eeg = {
        "setname": "made up", "srate": float(RATE_HZ), "nbchan": len(NAMES), "trials": 1,
        "pnts": RATE_HZ * SECONDS, "xmin": 0.0, "xmax": SECONDS - 1 / RATE_HZ,
        "data": microvolts(), "chanlocs": places, "event": events, "epoch": [], "icawinv": [],
        "icasphere": [], "icaweights": [],
    }  # fmt: skip
    scipy.io.savemat(path, {"EEG": eeg}, appendmat=False)


def table(path: Path) -> None:
    frame = pd.DataFrame(dict(zip(NAMES, microvolts(), strict=True)))
    frame["remark"] = "none"
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False, row_group_size=700)
    units = {name: {"Units": "uV"} for name in NAMES}
    told = {"SamplingFrequency": RATE_HZ, "Columns": list(frame), **units}
    path.with_suffix(".json").write_text(json.dumps(told))


WRITERS: dict[str, Callable[[Path], None]] = {
    "r.bdf": bdf, "r.vhdr": brainvision, "r_raw.fif": fif, "r.set": eeglab,
    "r.parquet": table, "r.csv": table,
}  # fmt: skip
