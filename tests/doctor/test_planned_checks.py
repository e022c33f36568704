"""What `check` and `doctor` both ask of a plan: can the recordings that are there bear it?"""

import dataclasses

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from physiome.cli import app
from physiome.config.base import deep_merge
from physiome.config.data import AnnotationLabels, ShardSettings
from physiome.config.tree import load_files
from physiome.data.recording import UNCALIBRATED, Annotation, RawRecord
from physiome.doctor import enough, headers, plan, proportions
from physiome.errors import DataError
from tests.edits.small_run import configuration, write_recordings


@pytest.fixture
def mine(repository, tmp_path, monkeypatch):
    """`mine(changes)`: files of a configuration for ten recordings of one's own."""
    monkeypatch.chdir(tmp_path)
    write_recordings(tmp_path / "mine")

    def write(changes=None):
        text = yaml.safe_dump(deep_merge(configuration("crossl", "handmade"), changes or {}))
        (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
        return [repository / "config.yaml", tmp_path / "mine.yaml"]

    return write


def found(files):
    """What stands against a plan, by what was looked at."""
    config = load_files(files)
    lines = plan.folders(config) or list(plan.data(config, "mine"))
    return {line.topic: line for line in lines if line.level != "ok"}


def channels(**own):
    return {"datasets": {"mine": {"modalities": own}}}


def check(files):
    return CliRunner().invoke(app, ["check", *map(str, files)])


def test_a_plan_that_can_be_done_has_nothing_against_it(mine):
    assert found(mine()) == {}
    done = check(mine())
    assert done.exit_code == 0
    assert not [line for line in done.output.splitlines() if "/tables/" not in line]


def test_tables_that_are_not_made_are_not_planned(mine):
    """All of a data set's were told, also those that `use_tables` leaves out."""
    said = check(mine({"use_datasets": ["mine", "sleep_edf"], "use_tables": ["mine"]})).output
    assert "results/tables/mine.csv: mine, " in said
    assert "table1.csv" not in said


def test_a_channel_that_no_recording_has_fails_with_the_nearest_there_is(mine):
    files = mine(channels(eeg={"channel": "EEG Fpz_Cz"}))
    line = found(files)["channels"]
    assert line.level == "FAIL"
    assert "'EEG Fpz_Cz' for eeg in 10 of 10 recordings" in line.text
    assert "did you mean 'EEG Fpz-Cz'?" in line.do
    done = check(files)
    assert done.exit_code == 2
    assert "results/tables/mine.csv" in done.output  # the plan is told all the same


@pytest.mark.parametrize(("minus", "said"), [("EOG horizontall", "'EOG horizontal'"), ("A9", "")])
def test_a_channel_that_is_subtracted_must_be_there_too(mine, minus, said):
    """All windows lacked the modality, and channels were said to be there."""
    line = found(mine(channels(eeg={"minus": minus})))["channels"]
    assert line.level == "FAIL"
    assert f"no channel {minus!r} for eeg in 10 of 10 recordings" in line.text
    assert said in line.do
    assert "channels" not in found(mine(channels(eeg={"minus": "EOG horizontal"})))


def test_a_reference_of_several_leads_is_named_once(mine):
    names = ("EEG Fpz-Cz", "EOG horizontal")
    leads = [{"channel": name, "minus": "A9"} for name in names]
    plain = channels(eeg={"channel": None, "channels": leads}, eog={"channel": "EOG horizontal2"})
    said = [line.text for line in plan.data(load_files(mine(plain)), "mine")]
    assert any("no channel 'A9' for eeg in 10" in text for text in said)


def test_it_is_a_warning_where_some_recordings_were_not_opened(mine, monkeypatch):
    files = mine(channels(eog={"channel": "none"}))
    ticks = iter(range(100))
    monkeypatch.setattr(headers, "monotonic", lambda: float(next(ticks)))
    line = found(files)["channels"]
    assert line.level == "warn"
    assert "in 8 of 10 recordings" in line.text


def test_few_headers_are_read_where_all_channels_are_there(mine, monkeypatch):
    opened, real = [], headers.open_reader
    monkeypatch.setattr(headers, "open_reader", lambda path: opened.append(path) or real(path))
    assert found(mine()) == {}
    assert 0 < len(opened) <= headers.ENOUGH


def test_a_folder_that_is_not_there_fails(mine):
    files = mine({"datasets": {"mine": {"source": {"folder": "yours"}}}})
    assert "'yours' is not there" in found(files)["folders"].text
    assert check(files).exit_code == 2


@pytest.mark.parametrize(
    ("unit", "level", "said"),
    [
        ("mmHg", "FAIL", "channel 'EEG Fpz-Cz' is in uV, and eeg is wanted in mmHg"),
        ("uW", "warn", "'EEG Fpz-Cz' is in 'uV', of which no conversion to 'uW' is known"),
    ],
)
def test_units_that_cannot_be_are_told_before_anything_is_cut(mine, unit, level, said):
    line = found(mine(channels(eeg={"unit": unit})))["units"]
    assert line.level == level
    assert said in line.text
    assert "datasets.mine.modalities.eeg.unit, or '' to take" in line.do
    assert "units" not in found(mine(channels(eeg={"unit": "mV"})))  # converted
    assert "units" not in found(mine(channels(eeg={"unit": ""})))


def test_a_channel_without_a_gain_is_left_out_where_a_unit_is_wanted(mine):
    given = {"eeg": {("E", UNCALIBRATED)}}

    def told(unit):
        config = load_files(mine(channels(eeg={"unit": unit})))
        settings = ShardSettings.parse_text(config.shard_settings("mine"), "")
        return [*enough.units("mine", settings, given, all_opened=True)]

    (line,) = told("uV")
    assert line.level == "FAIL"
    assert "'E' is uncalibrated, and eeg is wanted in uV" in line.text
    assert told("") == []


def test_recordings_shorter_than_a_window_are_told_before_anything_is_cut(mine):
    line = found(mine({"datasets": {"mine": {"window": {"length_s": 300.0}}}}))["lengths"]
    assert line.level == "FAIL"
    assert "has 120 s, less than a window of 300 s" in line.text


class Opened:
    """A recording, as far as its header tells of it."""

    def __init__(self, real, duration_s, unit):
        self.duration_s, self.real, self.unit = duration_s, real, unit

    def channels(self):
        known = self.real.channels()
        return {name: dataclasses.replace(c, unit=self.unit) for name, c in known.items()}


@pytest.mark.parametrize(
    ("topic", "bad"), [("lengths", (10.0, "uV")), ("units", (120.0, UNCALIBRATED))]
)
def test_of_some_recordings_alone_nothing_is_said_of_all(mine, monkeypatch, topic, bad):
    """The four that were opened first were short, or without a gain; not those behind them."""
    files, real = mine(), headers.open_reader
    good = (120.0, "uV")

    def opening(bad_ones):
        seen = []

        def opened(path):
            seen.append(path)
            return Opened(real(path), *(bad if len(seen) <= bad_ones else good))

        monkeypatch.setattr(headers, "open_reader", opened)
        return found(files)

    assert getattr(opening(4).get(topic), "level", "warn") == "warn"
    assert opening(10)[topic].level == "FAIL"
    ticks = iter(range(100))
    monkeypatch.setattr(headers, "monotonic", lambda: float(next(ticks)))
    assert opening(10)[topic].level == "warn"  # time was up before all were opened


def test_subjects_too_few_for_the_folds_are_told_before_anything_is_cut(mine, tmp_path):
    line = found(mine({"folds": {"count": 9}}))["subjects"]
    assert line.level == "FAIL"
    assert line.text == "mine: the recordings are of 10 subjects, and 9 folds need 11 with labels"
    assert "subjects" not in found(mine({"folds": {"count": 8}}))
    table = tmp_path / "mine/records.csv"  # recordings that cannot be used are nobody's
    table.write_text(table.read_text("utf-8").replace("r1,S1", "r77,S1"), "utf-8")
    assert "of 9 subjects, and 8 folds" in found(mine({"folds": {"count": 8}}))["subjects"].text


def test_a_table_without_the_column_of_labels_fails(mine):
    line = found(mine({"datasets": {"mine": {"labels": {"column": "grup"}}}}))["labels"]
    assert (line.level, line.do.split(" (")[0]) == ("FAIL", "did you mean 'group'?")


def test_labels_that_stand_for_no_class_are_told_before_anything_is_cut(mine, tmp_path):
    files, table = mine(), tmp_path / "mine/records.csv"
    text = table.read_text("utf-8")
    table.write_text(text.replace(",s\n", ",1.0\n", 1), "utf-8")
    line = found(files)["labels"]
    assert (line.level, line.do) == ("warn", "labels.texts knows 's', 'w'")
    assert line.text.endswith("1 of 10 records have no label that is known in column 'group'; "
                              "most often (1): '1.0'")  # fmt: skip
    table.write_text(text.replace(",s\n", ",1.0\n").replace(",w\n", ",\n"), "utf-8")
    assert found(files)["labels"].level == "FAIL"


def test_labels_from_annotations_need_some(mine, monkeypatch):
    files = mine()
    own = yaml.safe_load(files[1].read_text("utf-8"))
    texts = {"s": "sick", "w": "well"}
    own["datasets"]["mine"]["labels"] = {"rule": "annotations", "texts": texts}
    files[1].write_text(yaml.safe_dump(own), "utf-8")
    monkeypatch.setattr(headers, "holds_annotations", lambda _: False)
    assert found(files)["labels"].level == "FAIL"
    monkeypatch.setattr(headers, "holds_annotations", lambda _: True)
    inside = [Annotation(0.0, 60.0, "s")]
    monkeypatch.setattr(headers, "read_annotations", lambda _: (inside, None))
    assert "labels" not in found(files)  # those inside a recording are used
    inside.append(Annotation(60.0, 30.0, "arousal"))
    line = found(files)["labels"]
    assert line.level == "warn"  # others were not opened
    says = "4 of 10 recordings opened, annotations leave 4 of them out; most often (4): unknown"
    assert says in line.text
    assert line.do == "list it in labels.texts or labels.unscored"


def test_annotations_that_are_gone_end_no_check(tmp_path):
    rule = AnnotationLabels(rule="annotations", texts={"s": "sick"})
    gone = RawRecord("a", "a", "a.edf", str(tmp_path / "a-Hypnogram.edf"))
    (told,) = headers._unscored(gone, rule, ("sick",), None)
    assert told == (
        "annotation file: No such file or directory",
        "fetch it again, or let it be read",
    )


def test_channels_here_and_annotations_there_make_no_recording(mine, monkeypatch):
    files = mine({"datasets": {"mine": {"labels": None}}})
    own = yaml.safe_load(files[1].read_text("utf-8"))
    own["datasets"]["mine"]["labels"] = {"rule": "annotations", "texts": {"s": "sick", "w": "well"}}
    files[1].write_text(yaml.safe_dump(own), "utf-8")
    real = headers.open_reader

    class Bare:
        duration_s = 60.0

        def channels(self):
            return {}

    monkeypatch.setattr(headers, "open_reader", lambda p: real(p) if odd(p) else Bare())
    monkeypatch.setattr(headers, "holds_annotations", lambda path: not odd(path))
    monkeypatch.setattr(headers, "read_annotations", lambda _: ([Annotation(0.0, 60.0, "s")], None))
    line = found(files)["labels"]
    assert line.level == "FAIL"
    assert "both a channel that is asked for and annotations, in 10 of 10" in line.text


def odd(path):
    """Whether a recording's number is."""
    return int(str(path).removesuffix(".edf")[-1]) % 2 == 1


def test_reasons_that_differ_by_a_records_name_are_one_with_a_count(mine, tmp_path, monkeypatch):
    files = mine()
    for path in sorted((tmp_path / "mine").glob("*.edf"))[:3]:
        path.unlink()
    line = found(files)["records"]
    assert line.level == "warn"
    assert "3 of 10 records cannot be used; most often (3): " in line.text

    def refuse(path):
        raise DataError("cut", where=path)

    monkeypatch.setattr(headers, "open_reader", refuse)
    line = found(files)["recordings"]
    assert line.level == "FAIL"
    assert "7 recordings cannot be read; most often (7): mine/*.edf: cut" in line.text


def test_a_model_far_too_large_for_the_windows_is_warned_of(mine):
    small = {"width": 16, "depth": 1, "heads": 2, "decoder_width": 16, "decoder_depth": 1,
             "decoder_heads": 2}  # fmt: skip
    wide = {"width": 512, "depth": 4, "heads": 8}
    system = {**small, "restore_width": 16, "restore_depth": 1, "restore_heads": 2}
    changes = {"methods": ["physiome"], "systems": {"physiome": system}}
    assert "model size" not in found(mine({**changes, "encoder": small}))
    line = found(mine({**changes, "encoder": {**small, **wide}}))["model size"]
    assert line.level == "warn"
    assert "about 13 million parameters" in line.text  # 12 * 4 * 512^2
    line = found(mine({**changes, "encoder": {**small, **wide, "width": 128}}))["model size"]
    assert "about 790 thousand parameters" in line.text  # 12 * (4 * 128^2 + 16^2)


def test_parameters_are_those_of_all_transformers():
    one = {"width": 10, "depth": 2}
    assert proportions.parameters(one) == 12 * 2 * 100
    other = {"restore_width": 20, "restore_depth": 1, "heads": 4, "crop_depth": 3}
    assert proportions.parameters(one | other) == 12 * 2 * 100 + 12 * 400


def test_very_many_subsets_are_warned_of(mine):
    many = {f"m{i}": {"channel": f"M{i}", "unit": "uV"} for i in range(5)}
    changes = {"datasets": {"mine": {"modalities": many, "subsets": "all"}}}
    (line,) = proportions.subsets(load_files(mine(changes)), "mine")
    assert line.text.startswith("mine: 7 modalities are 127 subsets")
    assert list(proportions.subsets(load_files(mine()), "mine")) == []


def test_models_too_large_for_their_windows_are_warned_of_whatever_counted_the_seconds(mine):
    config = load_files(mine({"methods": ["physiome", "handmade"]}))
    (line,) = proportions.models(config, "mine", np.float64(1.0))
    assert (line.level, line.topic) == ("warn", "model size")
    assert "more training" in line.text
