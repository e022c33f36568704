"""The table of faults in tests/README.md and the tests beside this file name each other.

The first thirty are those of the design, in this folder; later ones may be tested anywhere.
"""

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parent / "README.md"
NAMED = re.compile(r"((?:\w+/)*test_\w+\.py)::(test_\w+)")


def fault_rows(text):
    """Number -> (fault, what happens, tests) of each row of the table of faults."""
    lines = [line for line in text.splitlines() if re.match(r"\|\s*\d+\s*\|", line)]
    cells = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    assert len({row[0] for row in cells}) == len(cells), "a row is there twice"
    return {int(number): tuple(rest) for number, *rest in cells}


def functions_of(path):
    """Names of the test functions of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def written():
    """(file, function) of every fault test in this folder."""
    return {
        (path.name, name)
        for path in HERE.glob("test_*.py")
        for name in functions_of(path)
        if name.startswith("test_fault_")
    }


def named(text):
    """(file, function) of every test that the table names."""
    return set(NAMED.findall("\n".join(row[-1] for row in fault_rows(text).values())))


def test_every_row_is_full_and_names_a_test():
    rows = fault_rows(PAGE.read_text(encoding="utf-8"))
    assert sorted(rows) == list(range(1, len(rows) + 1))
    assert {n: row for n, row in rows.items() if len(row) != 3 or not all(row)} == {}
    assert [n for n, row in rows.items() if not NAMED.search(row[-1])] == []
    first = [n for n in range(1, 31) if f"::test_fault_{n:02d}_" not in rows[n][-1]]
    assert first == []


def test_every_named_test_is_written():
    for file, name in named(PAGE.read_text(encoding="utf-8")):
        path = HERE.parent / file if "/" in file else HERE / file
        assert name in functions_of(path), f"{file} has no {name}"


def test_every_written_test_is_named():
    assert written() - named(PAGE.read_text(encoding="utf-8")) == set()


def test_a_row_that_is_there_twice_is_found():
    with pytest.raises(AssertionError, match="twice"):
        fault_rows("| 1 | a | b | c |\n| 1 | a | b | c |")
