"""What `physiome inspect` says about recordings."""

import errno
import json
import os
import re
import subprocess
import sys
from functools import partial

import edfio
import numpy as np
import pytest
import yaml

from physiome.config.base import deep_merge
from physiome.config.tree import load_files
from physiome.data.synthetic.write_vital import Wave, write_vital
from physiome.errors import ConfigError, DataError
from physiome.steps import inspect
from tests.edits.small_run import configuration

NIGHT, HYPNOGRAM = "SC4001E0-PSG.edf", "SC4001EC-Hypnogram.edf"


@pytest.fixture
def config(repository):
    return [repository / "config.yaml"]


def write(folder, names=("EEG Fpz-Cz", "EOG horizontal"), name=NIGHT, hypnogram=True):
    """Three minutes; the EEG stands still for the first of six windows."""
    rng = np.random.default_rng(0)
    data = {label: rng.normal(0, 30, 18_000).clip(-190, 190) for label in names}
    next(iter(data.values()))[:3000] = 7.0
    signals = [
        edfio.EdfSignal(x, 100, label=label, physical_dimension="uV", physical_range=(-200, 200))
        for label, x in data.items()
    ]
    edfio.Edf(signals).write(folder / name)
    if hypnogram:
        stages = [
            edfio.EdfAnnotation(0, 120, "Sleep stage W"),
            edfio.EdfAnnotation(120, 3600, "Sleep stage 2"),
        ]
        edfio.Edf([], annotations=stages).write(folder / HYPNOGRAM)
    return folder / name


def blocks(capsys, paths, config=()):
    inspect.run([*paths], [*config], as_json=True)
    return json.loads(capsys.readouterr().out)["files"]


def test_a_clock_beyond_any_calendar_is_no_start(tmp_path, capsys):
    wave = Wave(np.sin(np.arange(6000)), 100.0, "mV", 0.001, (0, 1))
    write_vital(tmp_path / "a.vital", {"SNUADC/ECG": wave}, 1.7e12)  # milliseconds for seconds
    (block,) = blocks(capsys, [tmp_path / "a.vital"])
    assert (block["start"], block["duration_s"]) == (None, 60.0)


def test_contents_use_and_reasons_are_told(tmp_path, capsys, config):
    night = write(tmp_path)
    inspect.run([night], config)
    text = capsys.readouterr().out
    assert "3.0 min, 2 channels" in text
    assert "EEG Fpz-Cz      100 Hz  uV" in text
    assert "annotations: Sleep stage W 2.0 min, Sleep stage 2 60.0 min" in text
    assert "sleep_edf: 6 windows of 30 s, labels W 4, N1 0, N2 2, N3 0, REM 0, none 0" in text
    assert "eeg_fpz_cz: 'EEG Fpz-Cz' in 5 windows; lost to flat 1" in text
    assert "eeg_pz_oz: missing: no channel 'EEG Pz-Oz'" in text
    assert "annotations run 59.0 min past the signals" in text
    assert "vitaldb: left out: none of its channels is here" in text


def test_data_sets_that_are_not_used_are_not_tried(tmp_path, capsys, config):
    (tmp_path / "one.yaml").write_text("use_datasets: [sleep_edf]\n")
    (block,) = blocks(capsys, [write(tmp_path)], [*config, tmp_path / "one.yaml"])
    assert list(block["use"]) == ["sleep_edf"]


def test_a_modality_of_which_some_leads_are_there_is_not_told_as_missing(tmp_path, capsys, config):
    leads = {"eeg": {"channel": None, "channels": ["EEG Fz", "EEG Cz"]}}
    changes = {"datasets": {"mine": {"modalities": leads}}}
    text = yaml.safe_dump(deep_merge(configuration("handmade"), changes))
    (tmp_path / "leads.yaml").write_text(text)
    night = write(tmp_path, ["EEG Fz", "EOG horizontal"])
    inspect.run([night], [*config, tmp_path / "leads.yaml"])
    told = capsys.readouterr().out
    assert "eeg: 'EEG Fz' in 5 windows; lost to leads 1; missing: no channel 'EEG Cz'" in told


def test_signs_that_steer_a_terminal_are_printed_as_escapes(tmp_path, capsys):
    night = write(tmp_path)
    stages = [edfio.EdfAnnotation(0, 60, "\x1b[2JSleep")]
    edfio.Edf([], annotations=stages).write(tmp_path / HYPNOGRAM)
    inspect.run([night], [])
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert r"\x1b[2JSleep" in text


def test_a_night_without_hypnogram_is_judged_unlabelled(tmp_path, capsys, config):
    use = blocks(capsys, [write(tmp_path, hypnogram=False)], config)[0]["use"]["sleep_edf"]
    assert use["labels"] is None
    assert use["windows"] == 6
    assert use["modalities"]["eeg_fpz_cz"] == {
        "channel": "EEG Fpz-Cz",
        "absent": None,
        "carried": 5,
        "lost": {"flat": 1},
    }


def own(folder, repository, labels):
    """Files of a configuration for the recordings in `folder`."""
    data = {"mine": {"source": {"folder": str(folder)}, "labels": None}}
    plain = deep_merge(configuration("handmade"), {"datasets": data})
    plain["datasets"]["mine"]["labels"] = labels
    (folder / "mine.yaml").write_text(yaml.safe_dump(plain), "utf-8")
    return [repository / "config.yaml", folder / "mine.yaml"]


def test_a_table_of_records_names_the_file_of_annotations(tmp_path, capsys, repository):
    night = write(tmp_path, name="a.edf")
    (tmp_path / "records.csv").write_text(f"record,subject,annotations\na,S1,{HYPNOGRAM}\n")
    labels = {"rule": "annotations", "texts": {"Sleep stage W": "well", "Sleep stage 2": "sick"}}
    config = own(tmp_path, repository, labels)
    (block,) = blocks(capsys, [night], config)
    assert block["annotation_file"] == str(tmp_path / HYPNOGRAM)
    assert block["use"]["mine"]["labels"] == {"well": 4, "sick": 2, "none": 0}
    (tmp_path / HYPNOGRAM).unlink()  # for `check` to tell
    (block,) = blocks(capsys, [night], config)
    assert (block["annotation_file"], block["use"]["mine"]["labels"]) == (None, None)
    (tmp_path / "records.csv").unlink()
    assert blocks(capsys, [night], config)[0]["use"]["mine"]["labels"] is None


def test_the_tables_annotations_count_where_a_hypnogram_lies_beside(tmp_path, capsys, repository):
    night = write(tmp_path)
    other = edfio.EdfAnnotation(0, 180, "Sleep stage 2")
    edfio.Edf([], annotations=[other]).write(tmp_path / "other.edf")
    table = f"record,subject,annotations\n{night.stem},S1,other.edf\n"
    (tmp_path / "records.csv").write_text(table)
    labels = {"rule": "annotations", "texts": {"Sleep stage W": "well", "Sleep stage 2": "sick"}}
    (block,) = blocks(capsys, [night], own(tmp_path, repository, labels))
    assert block["annotation_file"] == str(tmp_path / "other.edf")
    assert block["annotations_s"] == {"Sleep stage 2": 180.0}
    assert block["use"]["mine"]["labels"] == {"well": 0, "sick": 6, "none": 0}


def test_a_table_of_records_has_the_label_of_a_recording(tmp_path, capsys, repository):
    night = write(tmp_path, name="a.edf", hypnogram=False)
    (tmp_path / "records.csv").write_text("record,subject,group\na,S1,w\n")
    labels = configuration("handmade")["datasets"]["mine"]["labels"]
    config = own(tmp_path, repository, labels)
    told = blocks(capsys, [night], config)[0]["use"]["mine"]["labels"]
    assert max(told, key=told.get) == labels["texts"]["w"]
    assert told["none"] == 0
    other = write(tmp_path, name="b.edf", hypnogram=False)  # not in the table
    assert blocks(capsys, [other], config)[0]["use"]["mine"]["labels"] is None


def test_the_numbers_are_those_of_the_shard(tmp_path, capsys, config):
    from physiome.data.cutting.cut import cut_record
    from physiome.data.recording import RawRecord

    night = write(tmp_path)
    settings = inspect.ShardSettings.parse_text(
        load_files(config).shard_settings("sleep_edf"), "shard settings"
    )
    raw = RawRecord("a", "a", str(night), str(tmp_path / HYPNOGRAM))
    _, windows, report = cut_record(raw, settings)
    use = blocks(capsys, [night], config)[0]["use"]["sleep_edf"]
    assert use["windows"] - use["dropped"] == len(windows)
    assert use["modalities"]["eeg_fpz_cz"]["carried"] == windows["has_eeg_fpz_cz"].sum()
    lost = report.lost["eeg_fpz_cz"]
    assert lost | use["modalities"]["eeg_fpz_cz"]["lost"] == lost
    assert use["notes"] == report.notes


def test_the_proposed_map_can_be_pasted(tmp_path, capsys, config):
    night = write(tmp_path, names=("Fpz-Cz", "EOG(L)"))
    inspect.run([night], config)
    text = capsys.readouterr().out
    start = text.index("datasets:\n")
    lines = text[start:].splitlines()
    (tmp_path / "mine.yaml").write_text(
        "\n".join(["datasets:", *(line[6:] for line in lines[1:5])])
    )
    pasted = yaml.safe_load((tmp_path / "mine.yaml").read_text())
    assert pasted["datasets"]["sleep_edf"]["modalities"]["eog"] == {"aliases": ["EOG(L)"]}
    again = blocks(capsys, [night], [*config, tmp_path / "mine.yaml"])[0]
    assert again["use"]["sleep_edf"]["modalities"]["eog"]["carried"] == 6
    assert again["proposal"]["eeg_fpz_cz"]["channel"] == "Fpz-Cz"


def test_a_folder_has_one_map_with_other_names_as_aliases(tmp_path, capsys):
    for name, channels in (
        ("a.edf", ("EEG Fpz-Cz", "EOG L")),
        ("b.edf", ("Fpz-Cz", "EOG R")),
        ("c.edf", ("Fpz-Cz",)),
    ):
        write(tmp_path, channels, name, hypnogram=False)
    inspect.run([tmp_path], [])
    text = capsys.readouterr().out
    assert text.count("proposed map") == 1
    lines = text[text.index("proposed map, of 3 files:") :].splitlines()
    assert [line.rpartition("# ")[2] for line in lines[2:4]] == ["in 3", "in 2"]
    map_ = yaml.safe_load("\n".join(lines[1:4]))["modalities"]
    assert map_["eeg_fpz_cz"]["channel"] == "Fpz-Cz"
    assert map_["eeg_fpz_cz"]["aliases"] == ["EEG Fpz-Cz"]
    assert map_["eog"]["aliases"] == ["EOG R"]
    inspect.run([tmp_path], [], as_json=True)
    assert json.loads(capsys.readouterr().out)["proposal"] == map_


def test_a_folder_that_may_not_be_read_is_named_and_the_others_go_on(tmp_path, capsys, monkeypatch):
    (tmp_path / "closed").mkdir()
    write(tmp_path, hypnogram=False)

    def refusing(real, path):
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    for name in ("scandir", "listdir"):
        monkeypatch.setattr(os, name, partial(refusing, getattr(os, name)))
    inspect.run([tmp_path], [])
    text = capsys.readouterr().out
    assert f"cannot be read: {tmp_path / 'closed'}: may not be read - " in text
    assert text.endswith("2 files: 1 read, 1 not\n")


def test_a_second_configuration_without_its_option_is_told_so(tmp_path, config):
    with pytest.raises(ConfigError, match=r"mine\.yaml: a configuration.*--config before each"):
        inspect.run([tmp_path, tmp_path / "mine.yaml"], config)


def test_a_bad_file_has_its_error_in_its_block_and_the_others_go_on(tmp_path, capsys):
    write(tmp_path, hypnogram=False)
    (tmp_path / "AAA.edf").write_text("<html>sign in</html>")
    bad, good = blocks(capsys, [tmp_path])
    assert "web page" in bad["error"]
    assert len(good["channels"]) == 2
    inspect.run([tmp_path], [])
    assert capsys.readouterr().out.endswith("2 files: 1 read, 1 not\n")


def test_a_wrong_unit_is_named_with_its_likely_factor(tmp_path, capsys, config):
    x = np.random.default_rng(0).normal(0, 30e-6, 18_000)
    signal = edfio.EdfSignal(
        x, 100, label="EEG Fpz-Cz", physical_dimension="uV", physical_range=(-2e-4, 2e-4)
    )
    edfio.Edf([signal]).write(tmp_path / NIGHT)
    use = blocks(capsys, [tmp_path], config)[0]["use"]["sleep_edf"]
    assert "'EEG Fpz-Cz' are plausible after multiplying by 1e+06" in use["left_out"]
    assert "they look like V" in use["left_out"]


@pytest.mark.slow
def test_nothing_readable_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no recordings"):
        inspect.run([tmp_path], [])
    (tmp_path / "a.edf").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "physiome", "inspect", tmp_path / "a.edf"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "file is empty" in done.stdout
    assert done.stderr.startswith("physiome: error: ")
    assert done.stderr.count("\n") == 1


def test_a_real_monitor_file_gets_a_map(shared_data, capsys, config):
    file = shared_data / "vital-format" / "test_intelliue_demo2.vital"
    (block,) = blocks(capsys, [file], config)
    assert block["use"]["vitaldb"]["map"] == {
        "abp": {"aliases": ["Intellivue/ABP"]},
        "ecg": {"aliases": ["Intellivue/ECG_II"]},
        "ppg": {"aliases": ["Intellivue/PLETH"]},
    }


def test_a_night_of_stages_over_five_minutes_is_told(shared_data, tmp_path, capsys, config):
    edf = shared_data / "sleep-edfx"
    (tmp_path / NIGHT).symlink_to(edf / "excerpts/SC4001E0-PSG-first300s.edf")
    (tmp_path / HYPNOGRAM).symlink_to(edf / "sleep-cassette/SC4001EC-Hypnogram.edf")
    psg = next(b for b in blocks(capsys, [tmp_path], config) if b["channels"])
    use = psg["use"]["sleep_edf"]
    assert use["overhang_s"] == 79_200
    assert use["windows"] == use["labels"]["W"] == 10


def test_leads_are_proposed_together_with_the_number_of_files_that_have_some(tmp_path, capsys):
    names = ("EEG F3", "EEG F4", "EEG Pz")
    for i in range(2):
        lines = [
            edfio.EdfSignal(np.arange(100.0), 100, label=name, physical_range=(-1, 101))
            for name in names
        ]
        edfio.Edf(lines).write(tmp_path / f"{i}.edf")
    inspect.run([tmp_path], [])
    shown = capsys.readouterr().out
    assert re.search(r"eeg: \{channels: \[EEG F3, EEG F4, EEG Pz\], .*\}  # in 2", shown)
