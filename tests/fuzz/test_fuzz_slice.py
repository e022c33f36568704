"""A few hundred of the cases of `make fuzz`, in this process: no other exception than our own."""

import collections
import importlib

import pytest

from tests.fuzz.runner import TARGETS, run_case

pytestmark = pytest.mark.slow

SEED = 1


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_damaged_files_are_refused_or_read_and_nothing_else(name, tmp_path):
    target = importlib.import_module(f"tests.fuzz.{name}").Target(tmp_path)
    outcomes = collections.Counter()
    for number in range(TARGETS[name]):
        _, outcome, said = run_case(target, SEED, number)
        assert not said, f"python -m tests.fuzz --target {name} --seed {SEED} --only {number}"
        outcomes[outcome] += 1
    assert outcomes["refused"] > TARGETS[name] / 4
    assert outcomes["same"] + outcomes["other"] > 0  # the damage is not all of the plain kind


class Planted:
    """A reader that does what no reader of ours may."""

    checked = frozenset({"summed"})

    def __init__(self, deed):
        self.deed = deed

    def case(self, rng):
        if isinstance(self.deed, Exception):
            raise self.deed
        return self.deed


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        (IndexError("list index out of range"), "IndexError"),
        (MemoryError(), "MemoryError"),
        (("summed", "other"), "although its sum is known"),
    ],
)
def test_a_planted_fault_is_found(deed, said):
    _, outcome, text = run_case(Planted(deed), SEED, 0)
    assert outcome == "fault"
    assert said in text
