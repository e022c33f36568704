"""After a run that failed, the screen ends with what the failed jobs said."""

import pytest

from physiome.plan.failures import last_words

SAID = """\
Error in rule {rule}:
    message: {message}
    jobid: {job}
    input: results/folds/d.json
    log: {log} (check log file(s) for error details)
    shell:
        python -m physiome train --settings '{{"a": "b > c"}}' > x 2>&1
        (command exited with non-zero exit code)
"""
REPEATED = """\
Logfile {log}:
{line}
Error in rule train:
    message: None
    jobid: 0
    log: never.log (check log file(s) for error details)
{line}
"""
SLURM = "SLURM-job '5' failed, SLURM status is: 'OUT_OF_MEMORY'. Reason: Unknown.For further"


@pytest.fixture
def run(tmp_path):
    """`run(name=text)` writes logs of jobs and of the whole; returns what is shown."""

    def write(**logs):
        said = "Building DAG of jobs...\n"
        for job, (name, text) in enumerate(logs.items()):
            path = tmp_path / f"{name} 1, 2.log"
            if text is not None:
                path.write_text(text)
            said += 2 * SAID.format(rule=name, log=path, job=job, message="None")
            said += REPEATED.format(log=path, line="=" * 80)
        whole = tmp_path / "snakemake.log"
        whole.write_text(said)
        return [line.replace(f"{tmp_path}/", "") for line in last_words([whole])]

    return write


def test_every_failed_job_is_named_once_with_its_own_error(run):
    shown = run(
        train="INFO epoch 1\nphysiome: error: no GPU - give one\nINFO bye\n",
        fetch="Traceback\nValueError: what\n\n",
        embed="",
        probe=None,
    )
    assert shown == [
        "4 jobs failed:",
        "train 1, 2.log: no GPU - give one",
        "fetch 1, 2.log: ValueError: what",
        "embed 1, 2.log: it is empty: the job was killed, perhaps for want of memory",
        "probe 1, 2.log: cannot be read - No such file or directory",
    ]


def test_of_many_jobs_some_are_shown(run):
    shown = run(**{f"job{i}": "physiome: error: no\n" for i in range(13)})
    assert len(shown) == 1 + 10 + 1
    assert shown[-1] == "and 3 more"


def test_a_run_that_ended_otherwise_adds_nothing(run, tmp_path):
    assert run() == []
    assert last_words([tmp_path / "not there"]) == []


def attempts(tmp_path, *more):
    """What is shown after a job failed under Slurm, and then what `more` says."""
    own = tmp_path / "train.log"
    own.write_text("INFO step=3/9\n")
    said = SAID.format(
        rule="train", job=7, log=f"{own}, {tmp_path}/rule_train/5.log", message=SLURM
    )
    whole = tmp_path / "snakemake.log"
    whole.write_text("".join([said, *more]))
    return [line.replace(f"{tmp_path}/", "") for line in last_words([whole])]


def test_of_a_job_on_a_cluster_its_end_and_both_logs_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert attempts(tmp_path) == [
        "1 job failed:",
        "train.log: INFO step=3/9",
        "  Slurm: OUT_OF_MEMORY, its log: rule_train/5.log",
    ]


def test_a_job_whose_next_attempt_went_well_did_not_fail(tmp_path):
    assert attempts(tmp_path, "Trying to restart job 7.\n") == []
    assert attempts(tmp_path, "Trying to restart job 17.\n")[0] == "1 job failed:"
    again = SAID.format(rule="train", job=7, log="b.log", message="None")
    assert attempts(tmp_path, "Trying to restart job 7.\n", again) == [
        "1 job failed:",
        "b.log: cannot be read - No such file or directory",
    ]


def test_a_job_that_the_scheduler_refused_is_told_with_its_words_and_the_last_error(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    refused = "SLURM sbatch failed. The error message was 'sbatch: error: Memory specification"
    refused += " can not be satisfied\nsbatch: error: submission failed'.\n    sbatch call"
    again = SAID.format(rule="train", job=7, log="train.log", message=refused)
    assert attempts(tmp_path, "Trying to restart job 7.\n", again) == [
        "1 job failed:",
        "train.log: INFO step=3/9",
        "  Slurm: refused it, Memory specification can not be satisfied",
    ]
