"""Splits by subject: every row held out once, no subject on both sides, nothing drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physiome.data.folds.splits import FEW, GROUPS, subject_splits
from physiome.errors import DataError

QUICK = settings(max_examples=40, deadline=None)


@st.composite
def rows(draw):
    """Subjects (n,), labels (n,) or None, in any order."""
    sizes = draw(st.lists(st.integers(1, 9), min_size=2, max_size=20))
    subjects = np.repeat([f"s{i}" for i in range(len(sizes))], sizes)
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    subjects = rng.permutation(subjects)
    labels = rng.integers(draw(st.integers(1, 4)), size=len(subjects))
    return subjects, draw(st.sampled_from([labels, None]))


@QUICK
@given(rows())
def test_every_row_is_held_out_once_and_no_subject_is_on_both_sides(table):
    subjects, labels = table
    splits = subject_splits(subjects, labels)
    held = np.concatenate([held for _, held in splits])
    np.testing.assert_array_equal(np.sort(held), np.arange(len(subjects)))
    for fitted, held in splits:
        assert not set(subjects[fitted]) & set(subjects[held])
        assert len(fitted) + len(held) == len(subjects)
        assert len(fitted)
        assert len(held)


@QUICK
@given(rows(), st.integers(0, 999))
def test_the_order_of_rows_changes_no_group_of_subjects(table, seed):
    subjects, labels = table
    order = np.random.default_rng(seed).permutation(len(subjects))
    shuffled = subject_splits(subjects[order], None if labels is None else labels[order])
    before = [set(subjects[held]) for _, held in subject_splits(subjects, labels)]
    assert [set(subjects[order][held]) for _, held in shuffled] == before


@pytest.mark.parametrize(("subjects", "splits"), [(2, 2), (FEW, FEW), (FEW + 1, GROUPS), (30, 5)])
def test_few_subjects_are_left_out_one_by_one_and_many_in_five_groups(subjects, splits):
    names = np.repeat(np.arange(subjects), 6)
    labels = np.arange(len(names)) % 2
    assert len(subject_splits(names)) == len(subject_splits(names, labels)) == splits


def test_a_class_of_two_subjects_is_never_held_out_as_a_whole():
    subjects = np.repeat(np.arange(20), 10)
    for pair in [(0, 1), (3, 17), (18, 19)]:
        labels = (np.isin(subjects, pair) & (np.arange(len(subjects)) % 2 == 0)).astype(int)
        assert all(labels[fitted].any() for fitted, _ in subject_splits(subjects, labels))


def test_a_class_of_one_row_in_each_of_five_subjects_is_held_out_by_one_at_a_time():
    subjects = np.repeat(np.arange(10), 8)
    for having in ([0, 1, 2, 3, 4], [1, 2, 5, 8, 9], [5, 6, 7, 8, 9]):
        labels = (np.isin(subjects, having) & (np.arange(80) % 8 == 0)).astype(int)
        assert [labels[held].sum() for _, held in subject_splits(subjects, labels)] == [1] * GROUPS


def test_classes_of_a_row_or_two_are_no_hindrance_and_warn_of_nothing(recwarn):
    subjects = np.arange(9)
    assert len(subject_splits(subjects, np.arange(9))) == GROUPS
    assert not recwarn.list


@pytest.mark.parametrize("subjects", [[], ["s0"], ["s0"] * 5])
def test_fewer_than_two_subjects_are_refused(subjects):
    with pytest.raises(DataError, match="fewer than two subjects"):
        subject_splits(np.array(subjects))
