"""The verb `run`: Snakemake, told of in few lines: stages as they end, and a bar of all jobs."""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column

from physiome.watch.look import look
from physiome.watch.run_log import read_log
from physiome.watch.said import left_to_say, log_since
from physiome.watch.screen import span
from physiome.watch.stages import Stages, what_runs
from physiome.watch.state import State

EVERY_S = 1.0


def run(arguments: Sequence[str], root: Path = Path()) -> int:
    """Run `snakemake ARGUMENTS`, and print a line for each stage that is done.

    A bar is drawn on a terminal only. What a run prints at its end is printed; each job's lines
    are in Snakemake's own log, and where jobs fail each one's error is the last thing printed.

    Returns:
        Snakemake's exit status, 128 + n if signal n ended it.
    """
    command = [sys.executable, "-m", "snakemake", *arguments]
    started = time.time()
    with ExitStack() as open_:
        printed, said = (
            open_.enter_context(tempfile.TemporaryFile("w+", errors="replace")) for _ in range(2)
        )
        process = subprocess.Popen(command, cwd=root, stdout=printed, stderr=said)
        handlers = {
            signal.SIGTERM: signal.signal(signal.SIGTERM, lambda n, _: process.send_signal(n)),
            signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),  # Snakemake has it, too
        }
        try:
            told = _tell(process, started, root)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        sys.stdout.write(_all(printed))
        last = left_to_say(process.returncode, told, log_since(started, root), _all(said))
        print("\n".join(last), file=sys.stderr if process.returncode else sys.stdout)
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _tell(process: subprocess.Popen, started: float, root: Path) -> bool:
    """Tell of a run until it ends; return whether anything was told."""
    stages = Stages(root)
    whole, rest = Column(no_wrap=True), Column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns = (
        BarColumn(15, table_column=whole),
        MofNCompleteColumn(table_column=whole),
        TextColumn("{task.description}", table_column=rest, markup=False),
    )
    with Progress(*columns, transient=True, redirect_stderr=False, expand=True) as bar:
        task = bar.add_task("planning", total=None)
        ended = False
        while not ended:
            ended = _ends(process)
            try:
                log = log_since(started, root)
                if log is None or not read_log(log).started:
                    continue  # what lies there is of an earlier run
                state = look(root, started=started)
                lines = [*stages.ended(state)]
            except OSError:
                continue  # a file that went meanwhile, a server that failed: the run goes on
            for line in lines:
                bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
            done = sum(count.done for count in state.counts)
            jobs = sum(count.jobs for count in state.counts)
            total = jobs if jobs and state.of_all else None
            bar.update(task, completed=done, total=total, description=_now(state))
    return bool(stages.told)


def _ends(process: subprocess.Popen) -> bool:
    try:
        process.wait(EVERY_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _now(state: State) -> str:
    if state.left is None:
        return what_runs(state)
    word = "at least" if state.left.unknown else "about"
    return f"{word} {span(state.left.seconds)} left: {what_runs(state)}"


def _all(file: TextIO) -> str:
    file.seek(0)
    return file.read()
