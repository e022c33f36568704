"""Fault 25: Paths with blanks, unicode, quotes; very long; read-only results; linked raw data.

Odd names work; results that are too long, cannot be written or cannot be a name are an error before
any job; links are followed, their files not changed.
"""

import os
import subprocess
import sys

import pytest
import yaml
from command import files_below, refused
from nights import sleep, write_nights

from physiome.config.tree import load_files
from physiome.errors import ConfigError
from physiome.files import canonical_json
from physiome.steps import fetch, records, shard

ODD = {
    "blanks": "my results  of May",
    "unicode": "Ergebnisse für Ωμέγα 数据",
    "quotes": 'it\'s "quoted" `here`',
    "what a shell reads": "$HOME & co; (all) #1 !x",
    "long": "x" * 200,
    "dash": "-rf",
}


@pytest.mark.parametrize("case", ODD)
def test_fault_25_recordings_and_shards_in_an_odd_folder_are_read_and_written(tmp_path, case):
    folder = tmp_path / ODD[case] / "raw"
    spec = sleep(write_nights(folder, 1))
    channels = {m: modality.channel for m, modality in spec.modalities.items()}
    text = canonical_json(
        {
            "dataset": "d",
            "source": spec.source.plain(),
            "modalities": channels,
            "folder": str(folder),
        }
    )
    table, raw = tmp_path / ODD[case] / "records.csv", tmp_path / ODD[case] / "raw.json"
    records.run(text, table)
    fetch.run(text, table, 0, 1, raw)
    shard.run(
        settings=canonical_json(spec.shard_settings()),
        raw=raw,
        folder=tmp_path / ODD[case] / "shard",
    )
    assert {"manifest.json", "eeg.npy"} <= files_below(tmp_path / ODD[case] / "shard")


def test_fault_25_raw_data_behind_a_link_are_read_and_not_changed(tmp_path):
    write_nights(tmp_path / "elsewhere", 1)
    (tmp_path / "linked").symlink_to("elsewhere")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "elsewhere").rglob("*")}
    spec = sleep(tmp_path / "linked")
    text = canonical_json(
        {
            "dataset": "d",
            "source": spec.source.plain(),
            "folder": str(tmp_path / "linked"),
            "modalities": {"eeg": "EEG Fpz-Cz", "eog": "EOG horizontal"},
        }
    )
    records.run(text, tmp_path / "records.csv")
    fetch.run(text, tmp_path / "records.csv", 0, 1, tmp_path / "raw.json")
    shard.run(
        settings=canonical_json(spec.shard_settings()),
        raw=tmp_path / "raw.json",
        folder=tmp_path / "shard",
    )
    assert "manifest.json" in files_below(tmp_path / "shard")
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "elsewhere").rglob("*")} == before


@pytest.fixture
def config(repository, tmp_path):
    """`config(changes)`: the demo's configuration with changes."""

    def load(**changes):
        mine = tmp_path / "mine.yaml"
        mine.write_text(yaml.safe_dump(changes), encoding="utf-8")
        demo = repository / "workflow/overlays/demo.yaml"
        return load_files([repository / "config.yaml", demo, mine])

    return load


def test_fault_25_a_link_to_nothing_is_an_error_before_any_job(config, tmp_path):
    (tmp_path / "linked").symlink_to("gone")
    source = {"source": {"raw": {"fill": "folder", "folder": str(tmp_path / "linked")}}}
    found = config(datasets={"sleep_edf": source}, results=str(tmp_path / "results"))
    with pytest.raises(ConfigError, match=r"sleep_edf.source: folder '.*linked' is not there"):
        found.check_folders()


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ("x" * 256, "is too long"),
        ("y/" * 2000, "is too long"),
        ("{dataset}", "cannot be"),
        ("", "cannot be"),
        ("a\nb", "cannot be"),
        ("mine.yaml/results", "is a file"),
        ("~/results", "in full"),
        ("-x", "an option"),
        ("--help", "an option"),
        ("s3://bucket/x", "no folder"),
        ("a<b", "cannot be"),
    ],
    ids=[
        "name",
        "path",
        "braces",
        "empty",
        "line break",
        "below a file",
        "home",
        "option",
        "long option",
        "address",
        "pathvar",
    ],
)
def test_fault_25_results_that_cannot_be_a_folder_are_an_error_before_any_job(
    config, tmp_path, monkeypatch, results, said
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=rf"results: .*{said}") as caught:
        config(results=results).check_folders()
    assert "\n" not in str(caught.value)


def test_fault_25_a_home_folder_of_recordings_is_an_error_before_any_job(config):
    source = {"source": {"raw": {"fill": "folder", "folder": "~/nights"}}}
    with pytest.raises(ConfigError, match=r"sleep_edf.source: '~/nights' .* in full"):
        config(datasets={"sleep_edf": source}).check_folders()


@pytest.fixture
def read_only(tmp_path):
    """A folder that cannot be written, also by root, whom modes do not stop."""
    folder = tmp_path / "read only"
    folder.mkdir()
    if os.getuid() != 0:
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
        return
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", folder])
    if mounted.returncode:
        pytest.skip("root may write everywhere here, and may not mount")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_fault_25_read_only_results_are_an_error_before_any_job(
    config, read_only, capsys, monkeypatch, tmp_path
):
    with pytest.raises(ConfigError, match=r"results: '.*read only' cannot be written"):
        config(results=str(read_only / "results")).check_folders()
    # and a step that is called by hand says it, too
    spec = sleep(write_nights(tmp_path / "raw", 1))
    text = canonical_json(
        {
            "dataset": "d",
            "source": spec.source.plain(),
            "folder": str(tmp_path / "raw"),
            "modalities": {"eeg": "EEG Fpz-Cz", "eog": "EOG horizontal"},
        }
    )
    output = read_only / "records.csv"
    line = refused(capsys, monkeypatch, "records", "--settings", text, "--output", output)
    assert "read only" in line
    assert files_below(read_only) == set()


@pytest.mark.slow
def test_fault_25_a_run_in_an_odd_folder_works(repository, tmp_path):
    folder = tmp_path / "a 'b' \"c\" $D é"
    folder.mkdir()
    results = "résults of 'mine' \"here\" $X;#1"
    mine = {"results": results, "use_datasets": ["sleep_edf"], "use_tables": ["table1"]}
    (folder / "my own.yaml").write_text(yaml.safe_dump(mine), encoding="utf-8")
    target = f"{results}/records/sleep_edf.csv"
    demo = repository / "workflow/overlays/demo.yaml"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "snakemake",
            target,
            "-s",
            str(repository / "Snakefile"),
            "--configfile",
            str(demo),
            "my own.yaml",
            "--cores",
            "1",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"},
    )
    assert done.returncode == 0, done.stderr
    assert len((folder / target).read_text(encoding="utf-8").splitlines()) == 13
