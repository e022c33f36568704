"""The stages of a run as they end: a line for each, and a bar of all jobs."""

import time
from collections.abc import Iterator
from pathlib import Path

from physiome.plan.jobs import LONG, SHORT
from physiome.watch.screen import span
from physiome.watch.state import State


class Stages:
    """What is to be told of a run that has not been told yet.

    Args:
        root: the working folder of Snakemake.
    """

    def __init__(self, root: Path = Path()) -> None:
        self.root = root
        self.told: set[str] = set()

    def ended(self, state: State) -> Iterator[str]:
        """A line for each stage all of whose jobs are done, once.

        The time is since the run began; warnings are those in the logs that the run wrote. Nothing
        where it is not known how many jobs there are.
        """
        if not state.of_all:
            return
        if not self.told and state.counts:
            self.told.add("")
            total = sum(count.jobs for count in state.counts)
            where = f", for results in {state.results}" if state.results else ""
            yield f"{total} jobs{where}"
        stages: dict[str, list[int]] = {}
        for count in state.counts:
            row = stages.setdefault(count.rule if count.rule in LONG else SHORT, [0, 0])
            row[0] += count.done
            row[1] += count.jobs - count.done
        for name, (done, rest) in stages.items():
            if not rest and name not in self.told:
                self.told.add(name)
                jobs = "job" if done == 1 else "jobs"
                yield (
                    f"{name:<18} {done:>4} {jobs:<4} done after {span(state.elapsed_s):<8}"
                    f"{self._warnings(name, state)}"
                ).rstrip()

    def _warnings(self, rule: str, state: State) -> str:
        logs = Path(state.results or "") / "logs" / rule
        since = time.time() - state.elapsed_s - 1
        texts = (log.read_text("utf-8", errors="replace") for log in self._logs(logs, since))
        found = sum(" WARNING " in line for text in texts for line in text.splitlines())
        return f"  {found} warning{'s' * (found > 1)} in {logs}/" if found else ""

    def _logs(self, folder: Path, since: float) -> Iterator[Path]:
        """Of jobs of this run: those of earlier runs lie beside them."""
        found = (self.root / folder).rglob("*.log")
        return (path for path in found if path.stat().st_mtime >= since)


def what_runs(state: State) -> str:
    """Of the jobs that run, the one that began first: a training's epoch, another's name.

    How many wait, where none runs.
    """
    for job in state.running:
        at = f", epoch {job.training.epoch} of {job.training.epochs}" if job.training else ""
        return f"{job.rule} {job.what}{at}".strip()
    if state.waiting:
        return f"{len(state.waiting)} {'job waits' if len(state.waiting) == 1 else 'jobs wait'}"
    return "planning" if state.phase == "planning" else ""
