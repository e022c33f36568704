"""Damage files at random and read them: `make fuzz`, or `python -m tests.fuzz --help`.

Nothing but an error of our own may come of it: no other exception, no hang, no growth of memory,
and no changed content where a checksum is known. A case is reproduced by its numbers:
`python -m tests.fuzz --target edf --seed 0 --only 123`.
"""

import argparse
import importlib
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.runner import TARGETS, Tally, run_case, run_target

MOST_MB = 500.0  # resident


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__)
    parser.add_argument("--target", choices=TARGETS, action="append", help="default: all")
    parser.add_argument("--cases", type=int, help="number of cases of each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", type=int, help="run this one case here, and show its traceback")
    options = parser.parse_args()
    names = options.target or TARGETS
    if options.only is not None:
        return _one(names[0], options.seed, options.only)
    good = True
    for name in names:
        cases = options.cases or importlib.import_module(f"tests.fuzz.{name}").Target.cases
        begun = time.monotonic()
        tally = run_target(name, options.seed, list(range(cases)), options.workers)
        _print(name, options.seed, tally, time.monotonic() - begun)
        good &= not tally.faults and tally.peak_mb <= MOST_MB
    return 0 if good else 1


def _one(name: str, seed: int, number: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        target = importlib.import_module(f"tests.fuzz.{name}").Target(Path(folder))
        kind, outcome, said = run_case(target, seed, number)
    print(f"{name} seed {seed} case {number}: {kind} {outcome}\n{said}")
    return 1 if said else 0


def _print(name: str, seed: int, tally: Tally, seconds: float) -> None:
    by_outcome = {
        outcome: sum(n for (_, o), n in tally.outcomes.items() if o == outcome)
        for outcome in ("refused", "same", "other", "fault", "death", "hang")
    }
    counts = by_outcome | {"cases": tally.outcomes.total()}
    print(
        "{name}: {cases} cases: {refused} refused, {same} accepted with the same content, "
        "{other} accepted with other content (no checksum known), {fault} other exceptions, "
        "{death} crashes, {hang} hangs".format(name=name, **counts)
    )
    kinds = sorted({kind for kind, _ in tally.outcomes if kind})
    accepted = {
        kind: f"{tally.outcomes[kind, 'same']} same, {tally.outcomes[kind, 'other']} other"
        for kind in kinds
    }
    print(f"  accepted, by what was damaged: {accepted}")
    print(
        f"  {seconds:.0f} s; resident {tally.started_mb:.0f} MB with all imports, "
        f"{tally.peak_mb:.0f} MB at most"
    )
    for number, said in tally.faults[:10]:
        print(f"  python -m tests.fuzz --target {name} --seed {seed} --only {number}\n{said}")


if __name__ == "__main__":
    sys.exit(main())
