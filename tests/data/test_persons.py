"""One person under two names is found before anyone is divided into folds."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physiome.data.folds.persons import alike, require_persons, same_signals, similar_names
from physiome.errors import DataError


def windows(people):
    """Three windows of each (record, subject, seed): one modality's mean and variance."""
    tables = []
    for record, subject, seed in people:
        mean, var = np.random.default_rng(seed).uniform(1, 2, (2, 3))
        tables.append(
            pd.DataFrame(
                {
                    "record": record,
                    "subject": subject,
                    "number": range(3),
                    "mean_a": mean,
                    "var_a": var,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def test_names_that_are_alike():
    pairs = [("S01", "s01"), ("S1", "S01"), ("S 1", "S1"), ("p10", "p010"), ("7", "007")]
    pairs += [("a1b02", "A01B2"), ("0", "00")]
    assert [(one, other) for one, other in pairs if alike(one) != alike(other)] == []


def test_names_that_are_not_alike():
    pairs = [("S1", "S10"), ("S1", "S11"), ("p100", "p10"), ("a", "b"), ("SC400", "SC40")]
    pairs += [("1-1", "11")]
    assert [(one, other) for one, other in pairs if alike(one) == alike(other)] == []


@given(st.text("aB0 1", min_size=1))
def test_a_name_is_alike_to_itself_in_any_case_and_with_blanks(name):
    assert alike(name) == alike(name.upper()) == alike(f" {name} ") == alike(alike(name))


def test_similar_names_come_in_groups():
    assert similar_names(["b", "S01", "s1", "a", "S1", "S01"]) == [["S01", "S1", "s1"]]


def test_similar_names_are_refused_unless_they_are_said_to_differ():
    table = windows([("r0", "S01", 0), ("r1", "s1", 1), ("r2", "x", 2)])
    with pytest.raises(DataError, match=r"'S01' and 's1' - .*similar_names_differ: true"):
        require_persons(table, names_differ=False)
    assert require_persons(table, names_differ=True) == []


def test_the_same_signals_under_two_subjects_are_refused():
    table = windows([("r0", "x", 0), ("r1", "y", 0), ("r2", "z", 2)])
    with pytest.raises(DataError, match=r"hold the same signals: r0 \(x\) and r1 \(y\) - "):
        require_persons(table, names_differ=True)


def test_the_same_signals_of_one_subject_are_a_note():
    table = windows([("r0", "x", 0), ("r1", "x", 0), ("r2", "z", 2)])
    notes = require_persons(table, names_differ=False)
    assert notes == ["records r0 and r1 of subject x hold the same signals"]


def test_records_without_any_signal_are_not_one_person():
    table = windows([("r0", "x", 0), ("r1", "y", 1)]).assign(mean_a=np.nan, var_a=np.nan)
    assert same_signals(table) == []


def test_one_window_more_or_another_order_of_rows():
    table = windows([("r0", "x", 0), ("r1", "y", 0)])
    assert len(same_signals(table.sample(frac=1.0, random_state=0))) == 1
    assert same_signals(table.iloc[:-1]) == []
