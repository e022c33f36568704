import datetime

import mne
import numpy as np
import pytest
import vitaldb
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter1d

from physiome.data.formats import open_reader
from physiome.data.formats.edf import read_annotations
from physiome.data.synthetic import ventilation
from physiome.data.synthetic.nights import write_night
from physiome.data.synthetic.operations import ART, ECG, PLETH, write_case
from physiome.data.synthetic.pressure import Subject, draw_course
from physiome.data.synthetic.stages import FEWEST_EPOCHS, N2, N3, STAGES, R, W, draw_stages
from physiome.data.synthetic.write_edf import CASSETTE_LINES, write_psg
from physiome.data.synthetic.write_vital import Wave, write_vital

pytestmark = pytest.mark.slow

HOURS = 1.5
STAGE_OF = {
    "Sleep stage W": "W", "Sleep stage 1": "N1", "Sleep stage 2": "N2", "Sleep stage 3": "N3",
    "Sleep stage 4": "N3", "Sleep stage R": "R",
}  # fmt: skip


def night(folder, record="SC4001", subject="SC400", hours=HOURS, seed=0):
    signals, annotations = folder / f"{record}E0-PSG.edf", folder / f"{record}EC-Hypnogram.edf"
    write_night(signals, annotations, record=record, subject=subject, hours=hours, seed=seed)
    return signals, annotations


def case(folder, record="0001", subject="1", hours=0.5, seed=0):
    path = folder / f"{record}.vital"
    write_case(path, record=record, subject=subject, hours=hours, seed=seed)
    return path


@pytest.fixture(scope="module")
def a_night(tmp_path_factory):
    return night(tmp_path_factory.mktemp("night"))


@pytest.fixture(scope="module")
def a_case(tmp_path_factory):
    return case(tmp_path_factory.mktemp("case"))


def epochs_by_stage(paths) -> dict[str, np.ndarray]:
    """Stage -> (epochs, 3 channels, 3000) in uV, aligned as the hypnogram says."""
    reader = open_reader(paths[0])
    names = list(CASSETTE_LINES)[:3]
    signals = np.stack([reader.read(name) for name in names])
    found: dict[str, list] = {stage: [] for stage in STAGES}
    for a in read_annotations(paths[1])[0]:
        for onset_s in np.arange(a.onset_s, a.onset_s + a.duration_s, 30):
            if a.text in STAGE_OF:
                start = round(onset_s * 100)
                found[STAGE_OF[a.text]].append(signals[:, start : start + 3000])
    return {stage: np.array(epochs) for stage, epochs in found.items()}


def power(epochs: np.ndarray, low_hz: float, high_hz: float) -> np.ndarray:
    """Mean power in a band (channels,)."""
    spectrum = np.abs(np.fft.rfft(epochs * np.hanning(3000))) ** 2
    hz = np.fft.rfftfreq(3000, 0.01)
    return spectrum[..., (hz >= low_hz) & (hz < high_hz)].sum(-1).mean(0)


@pytest.mark.parametrize("make", [night, case])
def test_the_same_seed_gives_the_same_bytes(tmp_path, make):
    paths = [np.atleast_1d(make(tmp_path / name, hours=0.2)) for name in ("a", "b")]
    for first, second in zip(*paths, strict=True):
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("make", [night, case])
@pytest.mark.parametrize("change", [{"seed": 1}, {"record": "SC4002"}, {"subject": "SC401"}])
def test_another_seed_record_or_subject_gives_another_recording(tmp_path, make, change):
    if make is case and "record" in change:
        change = {"record": "0002"}
    first = np.atleast_1d(make(tmp_path / "a", hours=0.2))[0]
    second = np.atleast_1d(make(tmp_path / "b", hours=0.2, **change))[0]
    assert first.read_bytes() != second.read_bytes()


def test_a_night_has_the_channels_of_the_originals(a_night, shared_data):
    original = shared_data / "sleep-edfx" / "excerpts" / "SC4001E0-PSG-first300s.edf"
    ours, theirs = (open_reader(path).channels() for path in (a_night[0], original))
    assert [(c.name, c.rate_hz, c.unit) for c in ours.values()] == [
        (c.name, c.rate_hz, c.unit) for c in theirs.values()
    ]


def test_signal_headers_equal_the_originals_but_for_what_is_personal(a_night, shared_data):
    original = shared_data / "sleep-edfx" / "excerpts" / "SC4001E0-PSG-first300s.edf"
    size = 256 + 7 * (16 + 80 + 8 + 8 + 8 + 8 + 8 + 80 + 8)
    ours, theirs = (path.read_bytes()[256:size] for path in (a_night[0], original))
    assert ours == theirs


def test_a_night_is_read_by_mne_without_a_warning(a_night, recwarn):
    raw = mne.io.read_raw_edf(a_night[0], include=["EEG Fpz-Cz", "EOG horizontal"], verbose="INFO")
    assert raw.n_times == HOURS * 3600 * 100
    assert raw.info["meas_date"] is not None
    texts = set(mne.read_annotations(a_night[1]).description)
    assert texts >= {"Sleep stage W", "Sleep stage 3", "Sleep stage 4", "Sleep stage ?"}
    assert not [w for w in recwarn if issubclass(w.category, RuntimeWarning)]


def test_the_hypnogram_is_gapless_and_outlasts_the_signals(a_night):
    annotations, _ = read_annotations(a_night[1])
    onsets = [a.onset_s for a in annotations]
    ends = [a.onset_s + a.duration_s for a in annotations]
    assert onsets == [0, *ends[:-1]]
    assert all(onset % 30 == 0 for onset in onsets)
    assert annotations[-1].text == "Sleep stage ?"
    assert annotations[-1].onset_s < HOURS * 3600 < ends[-1]


def test_both_files_of_a_night_start_together(a_night):
    start = open_reader(a_night[0]).start
    assert start is not None
    assert start == read_annotations(a_night[1])[1]


@given(epochs=st.integers(FEWEST_EPOCHS, 2700), seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_every_night_has_all_stages_and_is_awake_at_both_ends(epochs, seed):
    stages = draw_stages(epochs, np.random.default_rng(seed))
    assert len(stages) == epochs
    assert set(stages) == set(range(len(STAGES)))
    assert stages[0] == stages[-1] == W
    asleep = stages[stages != W]
    assert (asleep == N2).sum() >= (asleep == R).sum() / 2


def test_deep_sleep_comes_early_and_rem_late():
    halves = [np.array_split(draw_stages(960, np.random.default_rng(s)), 2) for s in range(10)]
    early, late = (np.concatenate(half) for half in zip(*halves, strict=True))
    assert (early == N3).sum() > (late == N3).sum()
    assert (early == R).sum() < (late == R).sum()


def test_stages_have_their_marks(a_night):
    epochs = epochs_by_stage(a_night)
    fpz, pz, eog = 0, 1, 2
    delta, alpha, sigma = (
        {s: power(e, *band) for s, e in epochs.items()} for band in ((0.5, 4), (8, 12), (12, 14))
    )
    assert delta["N3"][fpz] > 2 * delta["N2"][fpz] > 2 * delta["N1"][fpz]
    assert sigma["N2"][pz] > 1.5 * max(sigma["N1"][pz], sigma["R"][pz])
    assert alpha["W"][pz] > 1.5 * alpha["W"][fpz]
    assert alpha["W"][pz] > 2 * alpha["R"][pz]
    jumps = {s: np.abs(np.diff(e[:, eog, ::5])).max(-1).mean() for s, e in epochs.items()}
    assert min(jumps["W"], jumps["R"]) > 1.5 * max(jumps["N2"], jumps["N3"])


def test_the_eyes_tell_less_of_deep_sleep_than_the_brain(a_night):
    epochs = epochs_by_stage(a_night)
    ratio = power(epochs["N3"], 0.5, 4) / power(epochs["N2"], 0.5, 4)
    assert ratio[2] < 0.6 * ratio[0]


def test_subjects_differ_more_than_nights(tmp_path):
    def loudness(record):
        epochs = epochs_by_stage(night(tmp_path, record, record[:5], hours=0.5))
        return np.log(power(epochs["N2"], 0.5, 30)[0])

    nights = np.array([[loudness(f"SC4{s:02d}{n}") for n in (1, 2)] for s in range(6)])
    assert nights.mean(axis=1).std() > 2 * (nights[:, 0] - nights[:, 1]).std() / np.sqrt(2)


def test_values_beyond_the_range_are_stored_as_its_end(tmp_path):
    values = np.zeros(3000)
    values[:2] = 1e6, -1e6
    write_psg(tmp_path / "x.edf", {"EEG Fpz-Cz": values}, datetime.datetime(1990, 1, 1))
    found = open_reader(tmp_path / "x.edf").read("EEG Fpz-Cz")
    np.testing.assert_allclose(found[:2], (192, -192), atol=0.1)


def test_a_case_is_read_by_vitaldb(a_case):
    file = vitaldb.VitalFile(str(a_case))
    assert file.get_track_names() == [ART, ECG, PLETH]
    values = file.to_numpy([ART, ECG, PLETH], 1 / 500)
    assert values.shape == (0.5 * 3600 * 500, 3)
    assert not np.isnan(values).any()
    assert 20 < values[:, 0].min() < values[:, 0].max() < 200
    assert 0.5 < values[:, 1].max() < 1.5


def test_a_case_is_read_by_our_reader_with_its_units(a_case):
    reader = open_reader(a_case)
    channels = reader.channels()
    assert {n: (c.rate_hz, c.unit) for n, c in channels.items()} == {
        ART: (500, "mmHg"),
        ECG: (500, "mV"),
        PLETH: (500, ""),
    }
    assert reader.duration_s == pytest.approx(1800)


def test_the_time_of_writing_is_not_in_the_file(a_case):
    assert a_case.read_bytes()[4:8] == bytes(4)  # the time field of the gzip header


def test_a_wave_survives_writing(tmp_path):
    values = 100 * np.sin(np.arange(2250) / 50)
    write_vital(tmp_path / "x.vital", {"D/A": Wave(values, 500, "mmHg", 0.1, (0, 200))}, 1e9)
    found = vitaldb.VitalFile(str(tmp_path / "x.vital")).to_numpy(["D/A"], 1 / 500)[:, 0]
    np.testing.assert_allclose(found, values, atol=0.051)


@pytest.mark.slow
def test_a_long_case_has_a_spell_that_the_label_rule_finds(tmp_path):
    for record in ("0001", "0002", "0003"):
        values = open_reader(case(tmp_path, record, record, hours=0.75)).read(ART)
        low = uniform_filter1d(values, 1000) < 65  # 2-s mean
        edges = np.flatnonzero(np.diff(low.astype(int), prepend=0, append=0))
        longest_s = np.diff(edges)[::2].max() / 500
        assert longest_s >= 60
        assert not low[:500].all()  # it begins normal


def test_a_spell_announces_itself():
    """Five minutes before a spell: pressure lower, rate higher, perfusion lower than usual."""
    before, usual = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        subject = Subject.draw(rng)
        course = draw_course(3600, subject, rng)
        low = np.flatnonzero(course.pressure_mmhg < 63)
        facts = np.stack(
            [
                course.pressure_mmhg / subject.pressure_mmhg,
                course.heart_rate_bpm / subject.heart_rate_bpm,
                course.perfusion / subject.perfusion,
            ]
        )
        usual.append(facts[:, :60].mean(1))
        before.append(facts[:, max(low[0] - 120, 0)])
    pressure, rate, perfusion = (np.array(before) - np.array(usual)).mean(0)
    assert pressure < -0.05
    assert rate > 0.05
    assert perfusion < -0.1


def test_more_tracks_do_not_change_the_three_of_every_case(tmp_path):
    six = (ART, ECG, PLETH, *ventilation.TRACKS)
    three = case(tmp_path / "three", hours=0.05)
    for name, tracks in (("six", six), ("four", (*six[:3], ventilation.AWP))):
        more = tmp_path / f"{name}.vital"
        write_case(more, record="0001", subject="1", hours=0.05, seed=0, tracks=tracks)
        assert set(open_reader(more).channels()) == set(tracks)
        ours, theirs = open_reader(three), open_reader(more)
        for track in six[:3]:
            assert np.array_equal(ours.read(track), theirs.read(track))
        assert np.array_equal(
            theirs.read(ventilation.AWP), open_reader(tmp_path / "six.vital").read(ventilation.AWP)
        )


def test_venous_pressure_and_carbon_dioxide_sink_with_the_arterial_pressure(tmp_path):
    six = (ART, ECG, PLETH, *ventilation.TRACKS)
    write_case(tmp_path / "c.vital", record="0001", subject="1", hours=1.0, seed=0, tracks=six)
    reader = open_reader(tmp_path / "c.vital")

    def minutes(track):
        rate_hz = reader.channels()[track].rate_hz
        values = reader.read(track)
        size = round(60 * rate_hz)
        return values[: len(values) // size * size].reshape(-1, size).mean(axis=1)

    pressure = minutes(ART)
    assert np.corrcoef(pressure, minutes(ventilation.CVP))[0, 1] > 0.9
    assert np.corrcoef(pressure, minutes(ventilation.CO2))[0, 1] > 0.5
    assert abs(np.corrcoef(pressure, minutes(ventilation.AWP))[0, 1]) < 0.3
