"""The table of faults in tests/README.md is that of the tests; every test in it is there."""

import re

import pytest

from tests.faults.elsewhere import ELSEWHERE, Fault
from tests.faults.table import HEAD, HERE, PAGE, faults, told_in, updated, written_in

TESTS = HERE.parent


def test_the_table_in_the_readme_is_up_to_date():
    page = PAGE.read_text(encoding="utf-8")
    assert updated(page, faults()) == page, "python -m tests.faults.table --write"


def test_every_fault_has_a_name_an_outcome_and_tests():
    assert {number for number, fault in faults().items() if not all(fault)} == set()


def test_every_test_of_this_folder_bears_its_fault_s_number():
    wrong = [
        f"{path.name}::{name}"
        for path in HERE.glob("test_[0-9]*.py")
        for name in written_in(path)
        if not name.startswith(f"test_fault_{told_in(path)[0]:02d}_")
        or not path.name.startswith(f"test_{told_in(path)[0]:02d}_")
    ]
    assert wrong == []


def test_every_file_of_this_folder_is_of_a_fault():
    others = {path.name for path in HERE.glob("test_*.py")} - {"test_table.py"}
    assert [name for name in others if not re.match(r"test_\d\d_", name)] == []


def test_every_test_named_elsewhere_is_written():
    named = [test.split("::") for fault in ELSEWHERE.values() for test in fault.tests]
    assert [n for n in named if n[1] not in written_in(TESTS / n[0])] == []


def test_a_file_that_does_not_say_its_fault_is_found(tmp_path):
    path = tmp_path / "test_01_a.py"
    path.write_text('"""Something else."""\n', encoding="utf-8")
    with pytest.raises(AssertionError, match=r"test_01_a\.py: begin the docstring"):
        told_in(path)


def test_a_number_that_is_there_twice_is_found(tmp_path):
    for name in ("test_01_a.py", "test_01_b.py"):
        (tmp_path / name).write_text('"""Fault 1: A.\n\nB.\n"""\n', encoding="utf-8")
    with pytest.raises(AssertionError, match="twice"):
        faults(tmp_path)


def test_only_the_table_of_a_page_is_written_anew():
    page = f"Before\n\n{HEAD}| 1 | old | old | old |\n\nAfter\n"
    written = updated(page, {1: Fault("A", "B", ["test_01_a.py::test_fault_01_c"])})
    assert written == f"Before\n\n{HEAD}| 1 | A | B | `test_01_a.py::test_fault_01_c` |\n\nAfter\n"
