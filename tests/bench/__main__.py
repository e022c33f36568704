"""Speed and memory, measured here and now: `python -m tests.bench [--only NAME] [--quick]`.

Ratios come from runs in turn in one process, medians, warm-up dropped. A figure below its bar is
marked MISS and is no error: other work on the machine moves figures.
"""

import argparse
import importlib
import time

from tests.bench.common import Row

NAMES = (
    "neuronet", "fusion", "systems", "night", "long_file", "verification", "memory", "planning",
    "subsets", "heads",
)  # fmt: skip


def main() -> None:
    """Print a row per figure as it is there, and a summary."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", choices=NAMES, help="one benchmark")
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    options = parser.parse_args()
    began, table = time.monotonic(), []
    for name in [options.only] if options.only else NAMES:
        for row in importlib.import_module(f"tests.bench.{name}").rows(options.quick):
            print(_line(row), flush=True)
            table.append(row)
    judged = [row for row in table if row.ok is not None]
    missed = [row.name for row in judged if not row.ok]
    print(f"\n{len(judged) - len(missed)} of {len(judged)} bars met", end="")
    print(f" in {time.monotonic() - began:.0f} s" + "".join(f"\nMISS: {name}" for name in missed))


def _line(row: Row) -> str:
    verdict = {None: "", True: "ok", False: "MISS"}[row.ok]
    bar = f"bar {row.bar}" if row.bar else ""
    return f"{row.name:<58} {row.figure:<42} {bar:<11} {verdict}".rstrip()


if __name__ == "__main__":
    main()
