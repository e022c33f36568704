"""The tables of records that `make learn` asks for, made of names alone."""

import csv
import subprocess
import sys

import pytest

from tests.learn_records import of_challenge, of_eegmat


def test_who_and_what_stand_in_the_names():
    assert [(r["subject"], r["task"]) for r in of_eegmat(["Subject07_2", "Subject07_1"])] == [
        ("Subject07", "rest"),
        ("Subject07", "arithmetic"),
    ]
    near = of_challenge(["v119l", "v115l", "a123s", "f120s", "b126l", "t130l"])
    blocks = [row["subject"].removeprefix("block") for row in near]
    assert blocks == ["115", "119", "119", "119", "119", "130"]


@pytest.mark.parametrize("name", ["eegmat", "challenge-2015"])
def test_it_writes_the_tables_that_figures_were_made_with(shared_data, tmp_path, name):
    theirs = shared_data / name
    copy = tmp_path / name
    (copy / "training").mkdir(parents=True)
    for path in [*theirs.glob("*.edf"), *theirs.glob("training/*.hea")]:
        (copy / path.relative_to(theirs)).touch()
    command = [sys.executable, "-m", "tests.learn_records", str(tmp_path)]
    assert subprocess.run(command, capture_output=True).returncode == 0

    def rows(folder):
        with (folder / "records.csv").open(encoding="utf-8", newline="") as file:
            return sorted(map(tuple, csv.reader(file)))

    assert rows(copy) == rows(theirs)
    (copy / "records.csv").write_text("mine")
    subprocess.run(command, check=True, capture_output=True)
    assert (copy / "records.csv").read_text() == "mine"


def test_an_empty_folder_says_so(tmp_path):
    command = [sys.executable, "-m", "tests.learn_records", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout.count("no ")) == (2, 2)
