"""A job forked from a warm process does what a job of its own does, and ends as it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from physiome import warm

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="forks jobs on Linux only")

STAND_INS = """
import sys
from physiome import cli, warm

def job():
    import os, signal, time
    what = sys.argv[1]
    if what == "say":
        print(os.getcwd(), os.environ["WORD"], *sys.argv[2:])
    elif what == "exit":
        sys.exit(int(sys.argv[2]))
    elif what == "raise":
        raise ValueError("a fault of ours")
    elif what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "wait":
        def stop(number, _):
            print("stopped by", number, flush=True)
            sys.exit(128 + number)
        signal.signal(signal.SIGTERM, stop)
        print("waiting", flush=True)
        time.sleep(60)

cli.main = job
warm.IMPORTED = ()
sys.exit(warm.run(sys.argv[1:]))
"""
JOB = "OMP_NUM_THREADS=1 WORD='two words' exec python -m physiome"


def bash(script: str, **options) -> subprocess.CompletedProcess:
    """Run a script in bash, with a warm process whose jobs are the stand-ins above."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "-c", STAND_INS, "bash", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PATH": path},
        **options,
    )


def test_a_job_has_the_callers_arguments_folder_environment_and_terminal(tmp_path):
    done = bash(f"cd {tmp_path}; {JOB} say '' 'a b' \"it's\"")
    assert done.stdout == f"{tmp_path} two words  a b it's\n"
    assert done.returncode == 0
    assert done.stderr == ""


@pytest.mark.parametrize("status", [0, 2, 143])
def test_the_status_is_the_jobs(status):
    assert bash(f"{JOB} exit {status}").returncode == status


def test_an_error_is_told_with_its_traceback():
    done = bash(f"{JOB} raise")
    assert done.returncode == 1
    assert "ValueError: a fault of ours" in done.stderr


def test_a_killed_job_is_not_taken_for_a_good_one():
    assert bash(f"{JOB} die").returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize("how", ["TERM", "KILL"])
def test_what_ends_the_caller_ends_the_job(how, tmp_path):
    heard = tmp_path / "heard"
    done = bash(
        f"({JOB} wait > {heard}) & until grep -q waiting {heard}; do sleep 0.05; done;"
        f" kill -{how} $!; wait $!; echo $?; until grep -q stopped {heard}; do sleep 0.05; done"
    )
    assert done.stdout == f"{128 + getattr(signal, 'SIG' + how)}\n"
    assert heard.read_text() == f"waiting\nstopped by {signal.SIGTERM:d}\n"


def test_jobs_run_beside_each_other(tmp_path):
    heard = [tmp_path / "one", tmp_path / "two"]
    both = " && ".join(f"grep -q waiting {path}" for path in heard)
    script = "".join(f"({JOB} wait > {path}) & " for path in heard)
    assert bash(f"{script} until {both}; do sleep 0.05; done; kill %1 %2; wait").returncode == 0


@pytest.mark.parametrize("change", ["OMP_NUM_THREADS=2", f"{warm.VARIABLE}=/other/warm.py:/no"])
def test_a_job_of_more_threads_or_other_code_starts_by_itself(change):
    done = bash(f"export OMP_NUM_THREADS=1 {change}; exec python -m physiome --version")
    assert done.stdout == "0.1.0\n", "the stand-in knows no --version"


def test_without_a_warm_process_a_job_starts_by_itself(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv(warm.VARIABLE, f"{warm.__file__}:/nowhere")
    assert warm.ask() is None


def test_nothing_is_left_behind():
    socket = Path(bash(f"echo ${warm.VARIABLE}").stdout.strip().rpartition(":")[2])
    assert socket.name == "warm"
    assert not socket.parent.exists()
