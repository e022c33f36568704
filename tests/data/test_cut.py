import datetime
import json
import re

import edfio
import numpy as np
import pytest
import wfdb

from physiome.config.data import Dataset, ShardSettings
from physiome.data.cutting.cut import cut_record
from physiome.data.recording import RawRecord
from physiome.errors import DataError

STAGES = {"W": "Sleep stage W", "N2": "Sleep stage 2", "REM": "Sleep stage R"}
SLEEP = {
    "title": "Sleep",
    "source": {"kind": "recordings", "folder": "x"},
    "batches": 1,
    "modalities": {
        "eeg": {"channel": "EEG Fpz-Cz", "unit": "uV", "low": -500, "high": 500, "min_sd": 0.5},
        "eog": {"channel": "EOG horizontal", "aliases": ["EOG"], "unit": "uV", "low": -500,
                "high": 500, "min_sd": 0.5},
    },
    "classes": ["W", "N2", "REM"],
    "window": {"length_s": 30.0, "rate_hz": 100.0, "lowpass_hz": 40.0},
    "labels": {"rule": "annotations", "texts": {v: k for k, v in STAGES.items()},
               "unscored": ["Sleep stage ?"]},
}  # fmt: skip


def settings(base=SLEEP, **changes):
    plain = json.loads(json.dumps(base))
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = plain
        for parent in parents:
            place = place[parent]
        place[last] = value
    return ShardSettings.parse(Dataset.parse(plain).shard_settings())


def night(folder, minutes=5, stages=("W", "N2", "N2", "REM"), channels=None, name="a", **header):
    """Write a recording and its hypnogram of 30-s epochs; return it as a raw record."""
    rng = np.random.default_rng(0)
    channels = channels or {"EEG Fpz-Cz": 100, "EOG horizontal": 100}
    signals = [
        edfio.EdfSignal(
            rng.normal(0, 30, minutes * 60 * rate).clip(-190, 190),
            rate,
            label=label,
            physical_dimension="uV",
            physical_range=(-200, 200),
        )
        for label, rate in channels.items()
    ]
    return save(folder, name, signals, stages, **header)


def save(folder, name, signals, stages, starttime=None, annotation_start=None):
    psg, hypnogram = folder / f"{name}-PSG.edf", folder / f"{name}-Hypnogram.edf"
    edfio.Edf(signals, starttime=starttime, data_record_duration=1).write(psg)
    rows = [
        edfio.EdfAnnotation(30 * i, 30, STAGES.get(stage, stage)) for i, stage in enumerate(stages)
    ]
    edfio.Edf([], annotations=rows, starttime=annotation_start).write(hypnogram)
    return RawRecord(name, name, str(psg), str(hypnogram))


def rewrite(record, label, change):
    """Change one channel of a written recording."""
    edf = edfio.read_edf(record.signals)
    signal = edf.get_signal(label)
    signal.update_data(change(signal.data.copy()))
    edf.write(record.signals)


def test_windows_hold_the_filtered_signal_with_time_and_label(tmp_path):
    rows, windows, report = cut_record(night(tmp_path), settings())
    assert windows["onset_s"].tolist() == [30.0 * i for i in range(10)]
    assert windows["label"].tolist() == [0, 1, 1, 2] + [-1] * 6
    assert rows["eeg"].shape == (10, 3000)
    assert rows["eeg"].dtype == np.float32
    assert report.labels == {"W": 1, "N2": 2, "REM": 1, "none": 6}
    np.testing.assert_allclose(windows["mean_eeg"], rows["eeg"].mean(axis=1), atol=1e-3)
    # White noise of sd 30 keeps 45 of its 50 Hz.
    assert rows["eeg"].std() == pytest.approx(30 * np.sqrt(0.9), rel=0.02)


def test_real_composed_night_has_its_labels(shared_data):
    folder = shared_data / "sleep-edfx/composed"
    record = RawRecord(
        "c",
        "0",
        str(folder / "SC4001E0_real_epochs-PSG.edf"),
        str(folder / "SC4001E0_real_epochs-Hypnogram.edf"),
    )
    texts = {
        f"Sleep stage {k}": v for k, v in zip("W123R", ("W", "N1", "N2", "N3", "REM"), strict=True)
    }
    rows, _, report = cut_record(
        record, settings(classes=["W", "N1", "N2", "N3", "REM"], labels__texts=texts)
    )
    assert report.labels == {"W": 12, "N1": 0, "N2": 13, "N3": 1, "REM": 7, "none": 0}
    original = np.load(shared_data / "sleep-edfx/excerpts/SC4001E0-epochs.npz")["x"][:, 0]
    # Filtering takes away little of an EEG: each window still is that epoch.
    for mine, epoch in zip(rows["eeg"][10:], original, strict=True):
        assert np.corrcoef(mine[300:-300], epoch[300:-300])[0, 1] > 0.95


def test_real_hypnogram_may_be_much_longer_than_its_signals(shared_data):
    folder = shared_data / "sleep-edfx"
    record = RawRecord(
        "e",
        "0",
        str(folder / "excerpts/SC4001E0-PSG-first300s.edf"),
        str(folder / "sleep-cassette/SC4001EC-Hypnogram.edf"),
    )
    texts = {f"Sleep stage {k}": "N2" for k in "1234"} | SLEEP["labels"]["texts"]
    _, windows, report = cut_record(record, settings(labels__texts=texts, labels__margin_class="W"))
    assert windows["label"].tolist() == [0] * 10
    assert report.overhang_s == 79200
    strict = settings(labels__texts=texts, labels__max_overhang_s=3600.0)
    with pytest.raises(DataError, match="outlast the signals"):
        cut_record(record, strict)


def test_trimming_reads_less_and_changes_no_sample(tmp_path):
    record = night(tmp_path, minutes=20, stages=["W"] * 20 + ["N2"] * 3 + ["W"] * 17)
    whole, table, _ = cut_record(record, settings())
    cut, windows, _ = cut_record(record, settings(labels__margin_class="W", labels__margin_s=60.0))
    assert windows["number"].tolist() == list(range(18, 25))
    np.testing.assert_allclose(cut["eeg"], whole["eeg"][18:25], atol=1e-3)
    assert table["label"].tolist()[18:25] == windows["label"].tolist()


def test_windows_follow_the_grid_of_the_annotations(tmp_path):
    record = night(tmp_path)
    rows = [edfio.EdfAnnotation(12 + 30 * i, 30, STAGES["W"]) for i in range(9)]
    edfio.Edf([], annotations=rows).write(record.annotations)
    whole, _, _ = cut_record(night(tmp_path, name="b"), settings())
    cut, windows, _ = cut_record(record, settings())
    assert windows["onset_s"].tolist() == [12.0 + 30 * i for i in range(9)]
    assert windows["label"].tolist() == [0] * 9
    np.testing.assert_allclose(cut["eeg"][0, :1800], whole["eeg"][0, 1200:], atol=1e-3)


@pytest.mark.parametrize("rate", [128, 256, 50])
def test_another_sampling_rate_is_resampled_and_noted(tmp_path, rate):
    record = night(tmp_path, channels={"EEG Fpz-Cz": rate, "EOG": 100})
    rows, _, report = cut_record(record, settings())
    assert rows["eeg"].shape == rows["eog"].shape == (10, 3000)
    assert report.channels["eeg"].rate_hz == rate


def test_an_absent_channel_is_a_missing_modality_or_an_error(tmp_path):
    record = night(tmp_path, channels={"EEG Fpz-Cz": 100, "EOG horizontl": 100})
    rows, windows, report = cut_record(record, settings())
    assert not windows["has_eog"].any()
    assert np.isnan(rows["eog"]).all()
    assert windows["has_eeg"].all()
    assert "did you mean 'EOG horizontl'" in report.absent["eog"]
    assert report.lost["eog"] == {"absent": 10}
    with pytest.raises(DataError, match=r"no channel 'EOG horizontal' for eog .* 'EOG horizontl'"):
        cut_record(record, settings(strict_channels=True))
    with pytest.raises(DataError, match="no usable window"):
        cut_record(record, settings(incomplete_windows="drop"))


def test_names_match_by_alias_and_without_regard_to_case(tmp_path):
    record = night(tmp_path, channels={"eeg fpz-cz": 100, "EOG": 100})
    _, windows, report = cut_record(record, settings())
    assert windows[["has_eeg", "has_eog"]].to_numpy().all()
    assert report.channels["eeg"].name == "eeg fpz-cz"


@pytest.mark.parametrize("factor", [1e-3, 1e-6])
def test_a_wrong_unit_is_left_out_with_the_likely_factor(tmp_path, factor):
    rng = np.random.default_rng(0)
    signals = [
        edfio.EdfSignal(
            factor * rng.normal(0, 30, 30_000).clip(-190, 190),
            100,
            label=label,
            physical_dimension="uV",
            physical_range=(-200 * factor, 200 * factor),
        )
        for label in ("EEG Fpz-Cz", "EOG horizontal")
    ]
    record = save(tmp_path, "a", signals, ["W"] * 10)
    with pytest.raises(DataError, match=re.escape(f"multiplying by {1 / factor:g}:")):
        cut_record(record, settings())


def test_flat_and_clipped_windows_lose_the_modality_and_are_counted(tmp_path):
    def damage(x):
        x[3000:3600] = 7.0  # 6 s of window 1
        x[6000:6400] = 7.0  # 4 s of window 2
        x[9000:9300] = 199.0  # 10 % of window 3 saturated
        return x

    record = night(tmp_path)
    rewrite(record, "EEG Fpz-Cz", damage)
    narrow = settings(modalities__eeg__high=195.0, modalities__eeg__low=-195.0)
    rows, windows, report = cut_record(record, narrow)
    assert np.flatnonzero(~windows["has_eeg"]).tolist() == [1, 3]
    assert {k: n for k, n in report.lost["eeg"].items() if n} == {"flat": 1, "clipped": 1}
    assert np.isnan(rows["eeg"][[1, 3]]).all()
    assert np.isfinite(rows["eeg"][2]).all()
    assert len(windows) == 10
    _, windows, report = cut_record(
        record, narrow.model_copy(update={"incomplete_windows": "drop"})
    )
    assert report.dropped == {"no_modality": 0, "incomplete": 2}
    assert windows["number"].tolist() == [0, 2, 4, 5, 6, 7, 8, 9]


def test_swapped_hypnograms_are_told_by_their_start(tmp_path):
    evening, later = datetime.time(22, 0, 0), datetime.time(22, 31, 0)
    record = night(tmp_path, starttime=evening, annotation_start=later)
    with pytest.raises(DataError, match="begin at different times") as caught:
        cut_record(record, settings())
    assert record.signals in str(caught.value)
    assert record.annotations in str(caught.value)
    same = night(tmp_path, name="b", starttime=evening, annotation_start=evening)
    assert len(cut_record(same, settings())[1]) == 10


def test_it_is_noted_if_starts_cannot_be_compared(tmp_path):
    evening = datetime.time(22, 0, 0)
    _, _, report = cut_record(night(tmp_path, starttime=evening), settings())
    assert "signals and annotations do not both state when they begin" in report.notes
    stated = night(tmp_path, name="b", starttime=evening, annotation_start=evening)
    assert cut_record(stated, settings())[2].notes == []


def test_a_missing_hypnogram_is_named(tmp_path):
    record = night(tmp_path)
    gone = RawRecord("a", "a", record.signals, str(tmp_path / "gone.edf"))
    with pytest.raises(DataError, match="annotation file is missing"):
        cut_record(gone, settings())
    with pytest.raises(DataError, match="no annotation file"):
        cut_record(RawRecord("a", "a", record.signals), settings())


def test_one_window_of_one_class_is_enough_and_less_says_why(tmp_path):
    record = night(tmp_path, minutes=1, stages=["W"])
    _, windows, _ = cut_record(record, settings(window__length_s=60.0))
    assert len(windows) == 1
    with pytest.raises(DataError, match=r"shorter than one window - 60 s, a window has 90 s"):
        cut_record(record, settings(window__length_s=90.0))


def test_a_column_labels_the_whole_recording(tmp_path):
    labels = {"rule": "column", "column": "group", "texts": {"sick": "N2", "well": "W"}}
    path = night(tmp_path).signals
    _, windows, _ = cut_record(
        RawRecord("a", "a", path, columns={"group": "sick"}), settings(labels=labels)
    )
    assert set(windows["label"]) == {1}
    with pytest.raises(DataError, match="unknown label 'SICK'"):
        cut_record(RawRecord("a", "a", path, columns={"group": "SICK"}), settings(labels=labels))


HEART = SLEEP | {
    "modalities": {
        "abp": {"channel": "ABP", "unit": "mmHg", "low": 20, "high": 250, "min_sd": 2.0},
        "ecg": {"channel": "II", "unit": "mV", "min_sd": 0.01},
        "ppg": {"channel": "PLETH"},
    },
    "classes": ["no", "yes"],
    "window": {"length_s": 30.0, "rate_hz": 100.0},
    "labels": {"rule": "hypotension", "gap_s": 60.0, "span_s": 30.0, "sustained_s": 30.0},
}


def test_real_icu_labels_agree_with_the_pressure_of_the_raw_file(shared_data):
    path = shared_data / "challenge-2015/training/f120s"  # its pressure rises through 65 mmHg
    _, windows, report = cut_record(RawRecord("f", "f", f"{path}.hea"), settings(HEART))
    record = wfdb.rdrecord(str(path))
    pressure = record.p_signal[:, record.sig_name.index("ABP")]
    for row in windows.itertuples():
        begin = round((row.onset_s + 30 + 60) * 250)
        if begin + 7500 > len(pressure):
            assert row.label == -1
            continue
        means = np.convolve(pressure[begin : begin + 7500], np.ones(500) / 500, mode="valid")
        assert row.label == int(means.max() < 65)
    assert report.labels["yes"] > 0
    assert report.labels["none"] == 3


def test_without_pressure_there_is_no_label(shared_data):
    # 12 records of this set have no arterial line.
    for path in sorted((shared_data / "challenge-2015/training").glob("*.hea")):
        if " ABP\n" not in path.read_text():
            _, windows, report = cut_record(RawRecord("x", "x", str(path)), settings(HEART))
            assert set(windows["label"]) == {-1}
            assert not windows["event"].any()
            assert "abp" in report.absent
            return
    pytest.fail("no such record")


def test_a_line_that_does_not_move_is_no_pressure(tmp_path):
    t = np.arange(300 * 125) / 125
    pressure = 50 + 10 * np.sin(2 * np.pi * 1.2 * t)
    pressure[150 * 125 : 179 * 125] = 50.0  # a closed line, in the window at 150 s
    wfdb.wrsamp("p", 125, ["mmHg"], ["ABP"], pressure[:, None], fmt=["16"], write_dir=str(tmp_path))
    _, windows, report = cut_record(
        RawRecord("p", "p", str(tmp_path / "p.hea")), settings(HEART, labels__gap_s=30.0)
    )
    assert windows["number"].tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert report.dropped["no_modality"] == 1
    assert report.lost["abp"]["flat"] == 1
    # The window at 90 s would be labelled by the closed line.
    assert windows["label"].tolist() == [1, 1, 1, -1, 1, 1, 1, -1, -1]


def test_an_implausible_pressure_is_no_event(tmp_path):
    t = np.arange(300 * 125) / 125
    signals = np.stack([10 + 5 * np.sin(2 * np.pi * 1.2 * t), np.sin(2 * np.pi * 1.2 * t)], axis=1)
    wfdb.wrsamp(
        "p", 125, ["mmHg", "mV"], ["ABP", "II"], signals, fmt=["16", "16"], write_dir=str(tmp_path)
    )
    _, windows, report = cut_record(RawRecord("p", "p", str(tmp_path / "p.hea")), settings(HEART))
    assert report.lost["abp"]["outside"] == 10
    assert len(windows) == 10
    assert not windows["event"].any()
    assert set(windows["label"]) == {-1}


def test_a_channel_that_ends_early_misses_its_last_windows(tmp_path, monkeypatch):
    from physiome.data.formats.edf import EdfReader

    original = EdfReader.read

    def shorter(self, channel, start_s=0.0, stop_s=None):
        x = original(self, channel, start_s, stop_s)
        return x[:-4000] if channel == "EOG horizontal" else x

    monkeypatch.setattr(EdfReader, "read", shorter)
    _, windows, report = cut_record(night(tmp_path), settings())
    assert windows["has_eog"].tolist() == [True] * 8 + [False] * 2
    assert windows["has_eeg"].all()
    assert report.lost["eog"]["gap"] == 2
