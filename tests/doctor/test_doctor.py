"""`physiome doctor`: every line can be ok, and can be made to warn or FAIL."""

import fcntl
import json
import os
import subprocess
import time
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pretend_gpus
import pytest
import yaml
from model_manifests import model_manifest
from tinyshards import tiny_store
from typer.testing import CliRunner

from physiome.cli import app
from physiome.config.output import Threads
from physiome.config.tree import load_files
from physiome.devices import leases
from physiome.doctor import amounts, gpus, leftovers, machine, processes, space, stored, work
from physiome.doctor.finding import several
from physiome.files import write_json


@pytest.fixture
def mine(repository, tmp_path, monkeypatch):
    """`mine(changes)`: the demo's configuration with results in a folder of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    def load(**changes):
        plain = {"results": "results", "use_datasets": ["sleep_edf"], "use_tables": ["table1"]}
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(plain | changes), encoding="utf-8")
        demo = repository / "workflow/overlays/demo.yaml"
        return load_files([repository / "config.yaml", demo, path])

    return load


def levels(lines):
    return [line.level for line in lines]


def said(lines):
    return "\n".join(map(str, lines))


def test_packages_that_are_old_or_missing_fail(monkeypatch):
    assert levels(machine.versions()) == ["ok"]
    wanted = ["numpy>=99", "no-such-package>=1", "pytest>=99; extra == 'test'"]
    monkeypatch.setattr(metadata, "requires", lambda _: wanted)
    lines = list(machine.versions())
    assert levels(lines) == ["FAIL", "FAIL"]  # what belongs to an extra is not asked for
    assert "numpy" in said(lines[:1])
    assert "no-such-package is not installed" in said(lines[1:])


def test_more_threads_than_cores_warn_and_limits_of_the_group_count(tmp_path):
    assert levels(machine.cores(Threads(shard=1, train=1, probe=1), tmp_path)) == ["ok"]
    assert levels(machine.cores(Threads(train=100_000), tmp_path)) == ["warn"]
    limit = tmp_path / "sys/fs/cgroup/cpu.max"
    limit.parent.mkdir(parents=True)
    limit.write_text("50000 100000\n")
    (line,) = machine.cores(Threads(shard=1, train=1, probe=1), tmp_path)
    assert (line.level, line.text) == ("warn", "0.5 cores, jobs of up to 1 thread")


@pytest.mark.parametrize(
    ("available_kb", "limit", "level"),
    [(9e6, "max", "ok"), (3e6, "max", "warn"), (5e5, "max", "FAIL"), (9e6, 2_000_000_000, "warn")],
)
def test_little_memory_warns_then_fails(tmp_path, available_kb, limit, level):
    for name, text in {
        "proc/meminfo": f"MemTotal: 9 kB\nMemAvailable: {available_kb:.0f} kB\n",
        "sys/fs/cgroup/memory.max": f"{limit}\n",
        "sys/fs/cgroup/memory.current": "500000000\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert levels(machine.memory(tmp_path)) == [level]


@pytest.mark.parametrize(("wanted", "level"), [("cpu", "ok"), ("auto", "warn"), ("cuda", "FAIL")])
def test_no_gpu_matters_by_what_is_asked_for(monkeypatch, wanted, level):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert levels(gpus.gpus(wanted)) == [level]


@pytest.mark.parametrize("wanted", ["auto", "cuda"])
def test_a_gpu_that_torch_cannot_use_is_told_with_the_lease_on_it(tmp_path, monkeypatch, wanted):
    pretend_gpus.machine(monkeypatch, tmp_path, pretend_gpus.LISTING)
    uuid = pretend_gpus.TWO[1]
    monkeypatch.setattr(leases, "lock_folder", lambda: tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with open(tmp_path / f"{uuid}.1.lock", "w") as lock:
        assert levels(gpus.gpus(wanted)) == ["FAIL"]
        fcntl.flock(lock, fcntl.LOCK_EX)
        lines = list(gpus.gpus(wanted))
    assert levels(lines) == ["FAIL", "warn"]
    assert "cannot use it" in lines[0].text
    assert f"{uuid} is leased by process {os.getpid()}" in lines[1].text


def test_a_gpu_that_cannot_be_told_is_a_failure_with_what_to_do(tmp_path, monkeypatch):
    pretend_gpus.machine(monkeypatch, tmp_path, pretend_gpus.LISTING)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    (line,) = gpus.gpus("auto")
    assert line.level == "FAIL"
    assert "names no GPUs by '7'" in line.text
    assert "nvidia-smi -L" in line.do


def test_folders_that_cannot_be_written_fail(mine, monkeypatch):
    config = mine()
    assert levels(space.writable(config)) == ["ok"]
    monkeypatch.setattr(os, "access", lambda *_: False)
    lines = list(space.writable(config))
    assert set(levels(lines)) == {"FAIL"}
    assert "results cannot be written" in said(lines)


def test_a_disk_that_is_too_small_fails(repository, monkeypatch):
    config = load_files([repository / "config.yaml"])

    def line(free):
        monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
        (found,) = space.disk(config)
        return found

    assert line(1e15).level == "ok"
    assert "shards sleep_edf 7.0 GB (assumed)" in line(1e15).text  # 195,000 x 3 x 3,000 samples
    needed = float(line(1e15).text.split("about ")[1].split(" GB")[0]) * 1e9
    assert line(needed / 0.9).level == "warn"
    assert line(needed * 0.9).level == "FAIL"


def test_bytes_that_nobody_knows_are_unknown_and_the_folder_is_that_of_the_results(
    repository, monkeypatch
):
    config = load_files([repository / "config.yaml"])
    nothing, unknown = amounts.Amount(0.0, "they are there"), amounts.Amount(None, "not yet known")
    monkeypatch.setattr(amounts, "raw_bytes", lambda *_: nothing)
    for name in ("shard_bytes", "embedding_bytes"):
        monkeypatch.setattr(amounts, name, lambda *_: unknown)
    (found,) = space.disk(config)
    assert f" free at {config.results}, unknown to be written: shards" in found.text
    assert found.level == "warn"
    assert (several(1, "fold"), several(3, "batch")) == ("1 fold", "3 batches")


def stored_shards(config):
    """Two written shards of the configured settings; returns their folder."""
    folder, spec = Path(config.results, "shards/sleep_edf"), config.datasets["sleep_edf"]
    tiny_store(folder, windows=12, names=list(spec.modalities))
    for i in (0, 1):
        (folder / f"shard{i}").rename(folder / f"batch{i}")
        manifest = folder / f"batch{i}/manifest.json"
        plain = json.loads(manifest.read_text())
        write_json(manifest, plain | {"settings": spec.shard_settings()})
    return folder


def test_shards_are_compared_with_their_manifests_and_with_the_configuration(mine):
    config = mine()
    assert levels(stored.shards(config, "sleep_edf")) == []
    folder = stored_shards(config)
    assert levels(stored.shards(config, "sleep_edf")) == ["ok"]
    assert amounts.windows(config, "sleep_edf") == amounts.Amount(6.0, "counted")
    assert amounts.shard_bytes(config, "sleep_edf").value == 0
    changed = mine(datasets={"sleep_edf": {"window": {"lowpass_hz": 15.0}}})
    assert levels(stored.shards(changed, "sleep_edf")) == ["warn"]
    left = folder / "batch1/manifest.json"  # of a run of two batches, where now there is one
    write_json(left, json.loads(left.read_text()) | {"settings": {}})
    (line,) = stored.shards(config, "sleep_edf")
    assert (line.level, line.text) == ("ok", "1 of 1 batch of sleep_edf")
    with open(folder / "batch0/eog.npy", "ab") as file:
        file.write(b"x")
    assert "FAIL" in levels(stored.shards(config, "sleep_edf"))


def test_raw_files_that_are_gone_or_altered_fail(mine, tmp_path):
    config, path = mine(), tmp_path / "night.edf"
    path.write_bytes(b"as fetched")
    sums = {str(path): "87a4ce8eef62cf2a8bc1cf1e23b9ee5a4d2b5b1ab5a5f3d0d5d9c6d87a5e8f11"}
    record = {"record": "r", "subject": "s", "signals": str(path), "annotations": None}
    noted = tmp_path / "results/raw/sleep_edf.batch0.json"
    write_json(noted, {"records": [record | {"sha256": sums}]})
    assert levels(stored.raw(config, "sleep_edf", verify=False)) == ["ok"]
    (line,) = stored.raw(config, "sleep_edf", verify=True)
    assert line.level == "FAIL"
    assert "altered" in line.text
    assert "--forcerun results/raw/sleep_edf.batch0.json" in line.do
    os.utime(path, (noted.stat().st_mtime + 1,) * 2)
    (line,) = stored.raw(config, "sleep_edf", verify=False)
    assert line.level == "warn"
    assert f"{path}: written to after" in line.text
    assert "--verify" in line.do
    path.unlink()
    assert levels(stored.raw(config, "sleep_edf", verify=False)) == ["FAIL"]
    noted.rename(noted.with_name("sleep_edf.batch1.json"))  # there is one batch now
    assert levels(stored.raw(config, "sleep_edf", verify=False)) == []


def test_a_lock_that_nobody_holds_is_told_from_a_run(tmp_path, monkeypatch):
    assert levels(leftovers.workflow_lock(tmp_path)) == ["ok"]
    lock = tmp_path / ".snakemake/locks/0.input.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    (line,) = leftovers.workflow_lock(tmp_path)
    assert line.level == "warn"
    assert "snakemake --unlock" in line.do
    monkeypatch.setattr(leftovers, "snakemakes", lambda _: [4711])
    assert "process 4711" in said(leftovers.workflow_lock(tmp_path))


def test_a_snakemake_is_found_by_its_folder(tmp_path):
    process, root = tmp_path / "root/proc/12", tmp_path / "root"
    process.mkdir(parents=True)
    (process / "cwd").symlink_to(tmp_path)
    for words, found in ((b"python\0/bin/snakemake\0-n\0", [12]), (b"vi\0Snakefile\0", [])):
        (process / "cmdline").write_bytes(words)
        assert processes.snakemakes(tmp_path, root) == found
        assert processes.snakemakes(root, root) == []
    assert processes.snakemakes(tmp_path) == []  # of the processes that really are there


def test_when_a_process_began_is_told_to_a_second_or_two():
    with subprocess.Popen(["sleep", "60"]) as process:
        assert processes.since(process.pid) == pytest.approx(time.time(), abs=3)
        process.kill()
    assert processes.since(process.pid) == 0.0


def test_what_a_killed_run_left_is_listed(tmp_path):
    assert list(leftovers.remains([tmp_path])) == []
    resume = tmp_path / "models/physiome.safetensors.resume"
    resume.mkdir(parents=True)
    (tmp_path / ".a.npy.host.12.tmp").write_bytes(b"12345")
    (tmp_path / "b.edf.part").write_bytes(b"1")
    lines = list(leftovers.remains([tmp_path, tmp_path / "models"]))
    assert [(x.topic, x.level) for x in lines] == [
        ("training", "ok"),
        ("downloads", "ok"),
        ("temporary", "warn"),
    ]
    with open(resume / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert f"process {os.getpid()}" in said(leftovers.remains([tmp_path]))
    assert processes.holder(resume / "lock") is None


def test_hours_come_from_finished_trainings_only(mine, tmp_path):
    config = mine(methods=["physiome", "handmade"])
    (line,) = work.hours(config)
    assert (line.level, line.text) == ("warn", "sleep_edf: 4 trainings left; 4 of unknown speed")
    models = tmp_path / "results/models/sleep_edf"
    for name in ("physiome", *(f"encoders/dp_neuronet/{m}" for m in ("eog", "eeg_pz_oz"))):
        found = model_manifest("sleep_edf", 1, name, {"segments_per_s": 0.5})
        write_json(models / f"fold1/{name}.json", found.plain())
    (models / "fold1/encoders/dp_neuronet/eog.safetensors").touch()
    (line,) = work.hours(config)
    # Two trainings of the 110 steps of 32 windows that the demo takes at least
    assert "3 trainings left; 2 of them 3.9 hours" in line.text
    assert "1 of unknown speed" in line.text
    epochs = {"epochs": 7, "least_steps": 0}
    (line,) = work.hours(mine(methods=["physiome", "handmade"], pretrain=epochs, train=epochs))
    # 12 nights of 0.8 h are 1,152 windows; a third of them are trained on for seven epochs, twice
    assert "3 trainings left; 2 of them 3.0 hours" in line.text


def run(*arguments):
    return CliRunner().invoke(app, ["doctor", *map(str, arguments)])


def test_the_exit_code_says_whether_a_run_would_come_to_its_end(repository, mine, tmp_path):
    mine(methods=["handmade"], device="cpu")
    files = [repository / "config.yaml", repository / "workflow/overlays/demo.yaml", "mine.yaml"]
    good = run(*files)
    assert good.exit_code == 0, good.output
    assert {line.split()[0] for line in good.output.splitlines()} <= {"ok", "warn"}
    (tmp_path / "mine.yaml").write_text("trian: {}\n")
    bad = run(*files, "--json")
    assert bad.exit_code == 2
    last = json.loads(bad.output)[-1]
    assert (last["level"], last["topic"]) == ("FAIL", "config")
    assert "did you mean 'train'?" in last["text"]


def test_a_manifest_that_cannot_be_read_is_told_among_all_the_others(repository, mine):
    """It was told alone: nothing of the machine, the disk and the data."""
    mine(device="cpu")
    manifest = Path("results/shards/sleep_edf/batch0/manifest.json")
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{", encoding="utf-8")
    done = run(repository / "config.yaml", repository / "workflow/overlays/demo.yaml", "mine.yaml")
    assert done.exit_code == 2
    told = [line.split()[:2] for line in done.output.splitlines()]
    assert [topic for level, topic in told if level == "FAIL"] == ["shards", "models", "estimate"]
    assert ["ok", "packages"] in told
