"""Faults that once gave wrong numbers without a word: `snakemake`, from configuration to table."""

import re
import shutil

import edfio
import numpy as np
import pandas as pd
import pytest
import yaml
from project_copy import Project

from tests.edits.small_run import configuration, write_recordings
from tests.faults.waves import EEG, EOG, noise

pytestmark = pytest.mark.slow

IDLE = '''"""Learns nothing."""

import torch
from torch import nn

from physiome.methods.base import Method


class Idle(Method):
    """Its loss hangs on no weight."""

    def __init__(self, modalities):
        super().__init__(modalities, {"idle": 1.0})
        self.layer = nn.Linear(1, 4)

    @classmethod
    def build(cls, settings, inputs, encoders):
        return cls(inputs.modalities)

    def encode(self, observed):
        return {m: self.layer(x.std(dim=1, keepdim=True)) for m, x in observed.items()}

    def fuse(self, encoded):
        return torch.stack([*encoded.values()]).mean(dim=0)

    def loss(self, batch, rng):
        return {"idle": torch.tensor(1.0)}
'''


@pytest.fixture
def project(tmp_path):
    project = Project.copy(tmp_path)
    write_recordings(project.root / "mine")
    return project


def run(project, *methods, check=True, options=()):
    (project.root / "mine.yaml").write_text(yaml.safe_dump(configuration(*methods)))
    told = ["--cores", 2, "--configfile", "mine.yaml", *options]
    return project.snakemake("results/tables/mine.csv", *told, check=check)


def add(project, *rows):
    with open(project.root / "mine" / "records.csv", "a") as file:
        file.write("".join(f"{row}\n" for row in rows))


def write_with_a_jump(path):
    """An EDF+C file of two minutes whose second one begins 300 s late."""
    waves = [
        edfio.EdfSignal(
            noise(i, minutes=2),
            100,
            label=label,
            physical_dimension="uV",
            physical_range=(-200, 200),
        )
        for i, label in enumerate((EEG, EOG))
    ]
    edfio.Edf(waves, annotations=[edfio.EdfAnnotation(5, 1, "x")], data_record_duration=1).write(
        path
    )
    data = path.read_bytes()
    for second in range(60, 120):
        stated = b"+%d\x14\x14" % second
        assert data.count(stated) == 1
        late = b"+%d\x14\x14" % (second + 300)
        data = data.replace(stated + bytes(len(late) - len(stated)), late)
    path.write_bytes(data)


def write_uncalibrated(folder, name):
    """A WFDB record without a gain, which once was read at 200 to the unit."""
    x = np.round(200 * noise(5, minutes=2)).clip(-30_000, 30_000).astype("<i2")
    np.stack([x, x], axis=1).tofile(folder / f"{name}.dat")
    total = int(x.sum(dtype=np.int64)) % 65536
    signals = [f"{name}.dat 16 0/uV 16 0 {x[0]} {total} 0 {label}\n" for label in (EEG, EOG)]
    (folder / f"{name}.hea").write_text(f"{name} 2 100 {len(x)}\n{''.join(signals)}")


def test_a_jump_in_time_and_a_gain_of_zero_leave_a_record_out_of_the_table(project):
    write_with_a_jump(project.root / "mine" / "late.edf")
    write_uncalibrated(project.root / "mine", "raw")
    add(project, "late,L,s", "raw,R,w")
    run(project, "handmade", "majority")
    results = project.root / "results"
    told = pd.read_csv(results / "folds" / "mine.records.csv", index_col="record")
    left_out = told[told["status"] != "used"]["reason"]
    assert sorted(left_out.index) == ["late", "raw"]
    assert "data record" in left_out["late"]
    assert "360" in left_out["late"]
    assert "not calibrated" in left_out["raw"]
    scored = pd.read_parquet(sorted((results / "scores" / "mine").rglob("*.parquet")))
    assert set(scored["record"]) == {f"r{i}" for i in range(10)}
    assert (results / "tables" / "mine.csv").exists()


def test_a_run_that_fails_ends_with_what_the_job_said_and_keeps_what_it_names(project):
    names = [f"r{i}" for i in range(10)]
    for name in names:
        (project.root / "mine" / f"{name}.edf").write_text("nothing")
    done = run(project, "handmade", "majority", check=False)
    shown = done.stderr[done.stderr.index("1 job failed:") :]
    quiet = run(project, "handmade", "majority", check=False, options=["--quiet", "all"])
    assert quiet.stderr.splitlines()[-2:] == shown.splitlines()[:2]
    noted = (project.root / ".snakemake" / "log").glob("*.results")
    assert [path.read_text().split() for path in noted] == 2 * [["results", "failed"]]
    kept = "results/folds/mine.left_out.csv"
    assert f"results/logs/folds/mine.log: {kept}: 10 of 10 records cannot be used" in shown
    assert len(shown.splitlines()) < 8
    assert list(pd.read_csv(project.root / kept)["record"]) == names


def test_one_person_under_two_names_ends_the_run_before_anything_is_trained(project):
    records = project.root / "mine" / "records.csv"
    plain = records.read_text()
    records.write_text(plain.replace("r4,S4,", "r4,s04,").replace("r5,S5,", "r5,S4,"))
    done = run(project, "handmade", "majority", check=False)
    assert done.returncode
    assert "s04" in done.stderr + done.stdout
    shutil.copyfile(project.root / "mine" / "r2.edf", project.root / "mine" / "r6.edf")
    records.write_text(plain)
    done = run(project, "handmade", "majority", check=False)
    assert done.returncode
    assert "r2" in done.stderr + done.stdout
    assert not (project.root / "results" / "folds" / "mine.json").exists()
    assert not (project.root / "results" / "tables" / "mine.csv").exists()


def test_a_loss_without_a_gradient_ends_the_run_without_a_row(project):
    (project.root / "physiome" / "methods" / "idle.py").write_text(IDLE)
    entry = '    "idle": Entry("physiome.methods.idle", "Idle", "Idle", "single"),\n'
    anchor = '    "crossl": Entry('
    project.edit("physiome/registry.py", anchor, entry + anchor)
    done = run(project, "idle", "majority", check=False)
    assert done.returncode
    told = "".join(path.read_text() for path in (project.root / "results/logs").rglob("idle.log"))
    assert "no weight gets a gradient" in told
    # One or both folds: the second may have begun before the first failed
    last = re.split(r"\d jobs? failed:", done.stderr)[1:]
    assert len(last) == 1
    assert "no weight gets a gradient" in last[0]
    assert not [*(project.root / "results").rglob("idle.safetensors")]
    assert not (project.root / "results" / "tables" / "mine.csv").exists()
