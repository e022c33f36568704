"""Runs cases in processes of bounded memory, each with a time limit, and counts the outcomes."""

import collections
import importlib
import multiprocessing
import resource
import tempfile
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from physiome.errors import PhysioError

# target, a module of this folder -> how many of its cases `make test` runs
TARGETS = {"edf": 250, "vital": 250, "more_formats": 150, "checkpoint": 120, "config": 200}
LIMIT_S = 10.0  # for one case
START_S = 120.0  # for imports and originals
GROWTH = 250 << 20  # bytes of address space a case may add to what imports take


@dataclass
class Tally:
    """What became of the cases of one target."""

    outcomes: collections.Counter = field(default_factory=collections.Counter)  # (kind, outcome)
    faults: list[tuple[int, str]] = field(default_factory=list)  # case, what happened
    started_mb: float = 0.0  # resident after imports
    peak_mb: float = 0.0

    def add(self, other: "Tally") -> None:
        self.outcomes += other.outcomes
        self.faults += other.faults
        self.started_mb = max(self.started_mb, other.started_mb)
        self.peak_mb = max(self.peak_mb, other.peak_mb)


def run_case(target, seed: int, number: int) -> tuple[str, str, str]:
    """One case: kind of damage, outcome, and a traceback if something else than we promise."""
    kind = ""
    try:
        kind, outcome = target.case(np.random.default_rng([seed, number]))
        if outcome == "other" and kind in target.checked:
            return kind, "fault", "altered content was accepted although its sum is known"
        return kind, outcome, ""
    except PhysioError as error:
        if "\n" in str(error):
            return kind, "fault", f"a message of several lines: {error!r}"
        return kind, "refused", ""
    except Exception:
        return kind, "fault", traceback.format_exc()


def run_target(name: str, seed: int, numbers: list[int], workers: int) -> Tally:
    """All cases of one target over several processes."""
    tally = Tally()
    with ThreadPoolExecutor(workers) as pool:
        shares = [numbers[first::workers] for first in range(workers)]
        for part in pool.map(lambda share: _drive(name, seed, share), shares):
            tally.add(part)
    return tally


def _drive(name: str, seed: int, numbers: list[int]) -> Tally:
    """Cases in one process after another: a new one after a hang or a crash."""
    tally, context, left = Tally(), multiprocessing.get_context("spawn"), list(numbers)
    while left:
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, name, seed, left), daemon=True)
        process.start()
        theirs.close()
        try:
            tally.started_mb = max(tally.started_mb, _started(ours, name))
            while left:
                if not ours.poll(LIMIT_S):
                    raise TimeoutError(f"hang: more than {LIMIT_S:g} s")
                kind, outcome, said, peak_mb = ours.recv()
                number = left.pop(0)
                tally.outcomes[kind, outcome] += 1
                tally.peak_mb = max(tally.peak_mb, peak_mb)
                if said:
                    tally.faults.append((number, said))
        except (TimeoutError, EOFError) as error:
            tally.outcomes["", "hang" if isinstance(error, TimeoutError) else "death"] += 1
            tally.faults.append((left.pop(0), str(error) or "the process died"))
        finally:
            process.kill()
            process.join()
    return tally


def _started(connection: Connection, name: str) -> float:
    """Resident MB of the process once its originals are made; without them nothing can be run."""
    try:
        if connection.poll(START_S):
            return connection.recv()
    except EOFError:
        pass
    raise RuntimeError(f"the process of target {name} did not start")


def _work(connection: Connection, name: str, seed: int, numbers: list[int]) -> None:
    """In the process: make the originals, bound the memory, run the cases."""
    with tempfile.TemporaryDirectory() as folder:
        target = importlib.import_module(f"tests.fuzz.{name}").Target(Path(folder))
        warnings.simplefilter("error", RuntimeWarning)  # arithmetic that went astray
        used = _status("VmSize") << 10
        resource.setrlimit(resource.RLIMIT_AS, (used + GROWTH, used + GROWTH))
        connection.send(_status("VmHWM") / 1024)
        for number in numbers:
            connection.send((*run_case(target, seed, number), _status("VmHWM") / 1024))


def _status(key: str) -> int:
    """A line of the kernel's account of this process, in kB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(key)))
