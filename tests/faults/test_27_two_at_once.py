"""Fault 27: Two runs at once, the lock of a killed run.

The second is refused and told how to unlock, or that this model is being trained; temporary names
are never shared, those of dead processes are removed.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from crashes import EPOCHS, at_step, files_below, train, write_place

from physiome.errors import TrainingError
from physiome.files import HOST, atomic_path, write_text

ROOT = Path(__file__).resolve().parents[2]
LOCKED = """
rule all:
    output: "made.txt"
    shell: "touch {output}"
"""
WRITER = """
import sys
from physiome.files import write_text
for turn in range(200):
    write_text(sys.argv[1], sys.argv[2] * 200_000)
"""


def snakemake(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments, "--cores", "1"],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_fault_27_the_lock_of_another_run_refuses_and_says_how_to_unlock(tmp_path):
    """The real workflow under two runs at once: tests/workflow/test_reruns.py."""
    (tmp_path / "Snakefile").write_text(LOCKED, encoding="utf-8")
    lock = tmp_path / ".snakemake" / "locks" / "0.output.lock"  # as a killed run leaves it
    lock.parent.mkdir(parents=True)
    lock.write_text("made.txt\n", encoding="utf-8")
    refused = snakemake(tmp_path)
    assert refused.returncode != 0
    assert "--unlock" in refused.stdout + refused.stderr
    assert not (tmp_path / "made.txt").exists()
    assert "snakemake --unlock" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_fault_27_a_second_training_of_a_model_is_refused_and_the_first_goes_on(tmp_path):
    place, output = write_place(tmp_path / "place"), tmp_path / "a.safetensors"
    said = []

    def second():
        with pytest.raises(TrainingError, match="another process is training this model") as error:
            train(place, output)
        said.append((error.value.exit_code, error.value.do))

    with at_step(EPOCHS, second):
        train(place, output)
    assert said == [(2, "wait for it, or end it and run again; without one remove lock* there")]
    assert output.exists()
    assert not list(tmp_path.rglob("*.tmp"))


def test_fault_27_two_processes_writing_one_file_leave_one_whole_file(tmp_path):
    path = tmp_path / "table.csv"

    def write(letter):
        command = [sys.executable, "-c", WRITER, str(path), letter]
        return subprocess.run(command, capture_output=True, text=True)

    seen = set()
    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write, letter) for letter in "ab"]
        while not all(writer.done() for writer in writers):
            if path.exists():
                seen.add(path.read_text(encoding="utf-8"))
    for writer in writers:
        assert writer.result().returncode == 0, writer.result().stderr
    assert seen <= {"a" * 200_000, "b" * 200_000}
    assert seen
    assert list(files_below(tmp_path)) == ["table.csv"]


def test_fault_27_what_a_killed_process_left_is_removed_and_a_living_ones_stays(tmp_path):
    leave = (
        "import os, sys; from physiome.files import HOST, atomic_path, write_text\n"
        "with atomic_path(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half'); print(temporary.name, flush=True)\n"
        "    os.kill(os.getpid(), 9) if sys.argv[2] == 'dies' else sys.stdin.read()\n"
    )
    path, names = tmp_path / "table.csv", []
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", leave, str(path), fate],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for fate in ("dies", "lives")
    ]
    dead, alive = processes
    for process in processes:
        assert process.stdout is not None
        names.append(process.stdout.readline().strip())
    dead.wait()
    with atomic_path(path) as temporary:
        temporary.write_text("whole", encoding="utf-8")
        left = {found.name for found in tmp_path.glob(".*.tmp")}
    alive.communicate("")
    assert left == {names[1], temporary.name}
    assert names[0] not in left
    assert list(files_below(tmp_path)) == ["table.csv"]


def test_fault_27_a_temporary_name_that_no_process_can_have_is_left_alone(tmp_path):
    foreign = tmp_path / f".table.csv.{HOST}.{'9' * 30}.tmp"
    foreign.write_text("whose?", encoding="utf-8")
    write_text(tmp_path / "table.csv", "whole")
    assert foreign.exists()
