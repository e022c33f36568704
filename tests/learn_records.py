"""`python -m tests.learn_records FOLDER`: tables of records for `make learn`, of names of files.

EEGMAT's files say in their names whose they are and whether at rest. The Challenge 2015 publishes
no patients; records with neighbouring numbers are often of one, so a run of numbers is taken for
one subject, and a gap of more than GAP begins another.
"""

import argparse
import csv
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

TASKS = {"1": "rest", "2": "arithmetic"}
GAP = 3

Rows = list[dict[str, str]]


def of_eegmat(names: Sequence[str]) -> Rows:
    """`Subject00_1` -> rest, `Subject00_2` -> arithmetic, of Subject00."""
    parts = {name: name.rpartition("_") for name in sorted(names)}
    return [
        {"record": name, "subject": subject, "task": TASKS[number]}
        for name, (subject, _, number) in parts.items()
    ]


def of_challenge(names: Sequence[str]) -> Rows:
    """`v115l`, `a116s` -> block115; letters stand for the alarm and the length."""
    rows: Rows = []
    before = first = -GAP - 1
    for number, name in sorted((int(name[1:-1]), name) for name in names):
        if number - before > GAP:
            first = number
        rows.append({"record": name, "subject": f"block{first}"})
        before = number
    return rows


SETS: dict[str, tuple[str, str, Callable[[Sequence[str]], Rows]]] = {
    "eegmat": ("*.edf", r"Subject\d+_[12]", of_eegmat),
    "challenge-2015": ("training/*.hea", r"[a-z]\d+[ls]", of_challenge),
}


def main() -> int:
    """Write the tables that are not there yet; exit code 2 if there is nothing to write one of."""
    parser = argparse.ArgumentParser(prog="python -m tests.learn_records", description=__doc__)
    parser.add_argument("folder", type=Path, help="with eegmat, challenge-2015, or both")
    folder, found = parser.parse_args().folder, 0
    for name, (pattern, form, rows_of) in SETS.items():
        stems = [path.stem for path in (folder / name).glob(pattern)]
        known = [stem for stem in stems if re.fullmatch(form, stem)]
        found += len(known)
        table = folder / name / "records.csv"
        if not known or table.exists():
            print(f"{table}: {'is there' if table.exists() else f'no {pattern} to write it of'}")
            continue
        rows = rows_of(known)
        with table.open("x", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        print(f"{table}: {len(rows)} records of {len({row['subject'] for row in rows})} subjects")
    return 0 if found else 2


if __name__ == "__main__":
    sys.exit(main())
