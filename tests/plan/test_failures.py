"""After a run that failed, the screen ends with what the failed jobs said."""

import pytest

from physiome.plan.failures import last_words

SAID = (
    "Error in rule {rule}:\n"
    'Command \'set -euo pipefail;  python -m physiome train --settings \'{{"a": "b > c"}}\''
    " > {log} 2>&1' returned non-zero exit status 2.\n"
)


@pytest.fixture
def run(tmp_path):
    """`run(name=text)` writes logs of jobs and of the whole; returns what is shown."""

    def write(**logs):
        said = "Building DAG of jobs...\n"
        for name, text in logs.items():
            path = tmp_path / f"{name} 1.log"
            if text is not None:
                path.write_text(text)
            said += 2 * SAID.format(rule=name, log=f"'{path}'")
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
        "train 1.log: no GPU - give one",
        "fetch 1.log: ValueError: what",
        "embed 1.log: it is empty: the job was killed, perhaps for want of memory",
        "probe 1.log: cannot be read - No such file or directory",
    ]


def test_of_many_jobs_some_are_shown(run):
    shown = run(**{f"job{i}": "physiome: error: no\n" for i in range(13)})
    assert len(shown) == 1 + 10 + 1
    assert shown[-1] == "and 3 more"


def test_a_run_that_ended_otherwise_adds_nothing(run, tmp_path):
    assert run() == []
    assert last_words([tmp_path / "not there"]) == []
