"""Folds by subject: whatever the data set, no subject plays two roles."""

import json
import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physiome.config.folds import FoldSpec
from physiome.data.folds import make_folds
from physiome.data.roles import ROLES, check_folds, read_fold, roles_of
from physiome.errors import DataError
from physiome.files import write_json

CLASSES = ["a", "b"]
FEW = settings(max_examples=20, deadline=None)


@st.composite
def tables(draw):
    """A windows table: every subject has both classes, some windows no label, any order of rows."""
    subjects = draw(st.integers(10, 24))
    rows = []
    for number in range(subjects):
        sizes = draw(st.tuples(st.integers(0, 4), st.integers(1, 12), st.integers(1, 12)))
        rows += [
            (f"s{number}", label)
            for label, size in zip((-1, 0, 1), sizes, strict=True)
            for _ in range(size)
        ]
    table = pd.DataFrame(rows, columns=["subject", "label"])
    return table.sample(frac=1, random_state=draw(st.integers(0, 99)), ignore_index=True)


SPECS = st.builds(
    FoldSpec,
    count=st.integers(2, 6),
    seed=st.integers(0, 2**16),
    train_share=st.floats(0.15, 0.6),
    valid_share=st.floats(0.15, 0.5),
)


def windows(subjects=12, nights=1, labels=(0, 1), each=10):
    """`nights` records per subject, `each` windows of every label in each record."""
    return pd.DataFrame(
        [
            {"subject": f"s{s:02d}", "record": f"s{s:02d}n{n}", "label": label}
            for s in range(subjects)
            for n in range(nights)
            for label in labels
            for _ in range(each)
        ]
    )


@FEW
@given(tables(), SPECS)
def test_no_subject_has_two_roles_and_every_subject_is_tested_once(table, spec):
    folds = make_folds(table, spec, CLASSES)
    everyone = set(table["subject"])
    assert [fold["fold"] for fold in folds] == list(range(1, spec.count + 1))
    for fold in folds:
        members = [subject for role in ROLES for subject in fold[role]]
        assert len(members) == len(set(members))
        assert set(members) == everyone
    assert Counter(s for fold in folds for s in fold["test"]) == dict.fromkeys(everyone, 1)


@FEW
@given(tables(), SPECS)
def test_every_role_has_subjects(table, spec):
    for fold in make_folds(table, spec, CLASSES):
        assert all(fold[role] for role in ROLES)


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("subjects", [4, 5, 6])
def test_small_data_sets_have_subjects_in_every_role_or_are_refused(subjects, count):
    try:
        folds = make_folds(windows(subjects), FoldSpec(count=count), CLASSES)
    except DataError as error:
        assert "too few" in str(error)  # noqa: PT017
        assert subjects < count + 2 or subjects - math.ceil(subjects / count) < 3
    else:
        assert all(fold[role] for fold in folds for role in ROLES)


@FEW
@given(tables(), SPECS, st.integers(0, 99))
def test_the_order_of_rows_changes_nothing(table, spec, seed):
    shuffled = table.sample(frac=1, random_state=seed)
    assert make_folds(shuffled, spec, CLASSES) == make_folds(table, spec, CLASSES)


def test_the_same_seed_gives_the_same_folds_and_another_seed_others():
    table, seeds = windows(20), (0, 1, 2, 0, 1, 2)
    drawn = [json.dumps(make_folds(table, FoldSpec(seed=seed), CLASSES)) for seed in seeds]
    assert drawn[:3] == drawn[3:]
    assert len(set(drawn)) == 3


def test_both_nights_of_a_subject_share_a_fold():
    table = windows(subjects=15, nights=2)
    for fold in make_folds(table, FoldSpec(), CLASSES):
        roles = table.assign(role=roles_of(table, fold))
        assert len(roles[["subject", "role"]].drop_duplicates()) == 15
        assert len(roles[["record", "role"]].drop_duplicates()) == 30
        assert set(roles["role"]) == set(ROLES)


def test_folds_and_shares_have_the_sizes_that_were_asked_for():
    spec = FoldSpec(count=5, train_share=0.25, valid_share=0.25)
    for fold in make_folds(windows(100), spec, CLASSES):
        assert len(fold["test"]) == 20
        assert len(fold["train"]) + len(fold["valid"]) == 20
        assert len(fold["valid"]) == 5
        assert len(fold["pretrain"]) == 60


def test_test_subjects_have_class_shares_like_all():
    rng = np.random.default_rng(0)
    parts = [windows(1, labels=(0,) * (1 + s % 5) + (1,) * 2, each=20) for s in range(60)]
    for number, part in enumerate(parts):
        part["subject"] = f"s{number:02d}"
    table = pd.concat(parts).sample(frac=1, random_state=int(rng.integers(100)))
    for fold in make_folds(table, FoldSpec(), CLASSES):
        share = table[roles_of(table, fold) == "test"]["label"].mean()
        assert share == pytest.approx(table["label"].mean(), abs=0.05)


@pytest.mark.parametrize("subjects", [1, 2, 6])
def test_too_few_subjects_are_refused_with_their_number(subjects):
    with pytest.raises(DataError, match=rf"{subjects} subjects with labels are too few for 5"):
        make_folds(windows(subjects), FoldSpec(count=5), CLASSES)


def test_subjects_without_a_label_do_not_count():
    table = pd.concat([windows(6), windows(12, labels=(-1,)).query("subject > 's05'")])
    with pytest.raises(DataError, match="6 subjects with labels"):
        make_folds(table, FoldSpec(count=5), CLASSES)


def test_a_class_that_is_absent_is_named_with_the_counts_of_all():
    table = windows(12, labels=(0, 2), each=3)
    with pytest.raises(DataError, match=r"class 'b' is absent.*fold 1|fold 1.*class 'b' is absent"):
        make_folds(table, FoldSpec(), ["a", "b", "c"])
    with pytest.raises(DataError, match=r"'b': 0"):
        make_folds(table, FoldSpec(), ["a", "b", "c"])


def test_windows_of_subjects_outside_the_fold_have_no_role():
    fold = {"pretrain": ["s00"], "train": ["s01"], "valid": ["s02"], "test": ["s03"]}
    assert roles_of(windows(5, labels=(0,), each=1), fold).tolist() == [
        "pretrain", "train", "valid", "test", "",
    ]  # fmt: skip


@pytest.fixture
def folds_file(tmp_path):
    """A good folds file, and a function that edits it."""
    path = tmp_path / "folds.json"
    write_json(path, {"folds": make_folds(windows(12), FoldSpec(count=3), CLASSES)})

    def edit(change):
        content = json.loads(path.read_text(encoding="utf-8"))
        change(content["folds"])
        write_json(path, content)
        return path

    return edit


def test_a_good_file_reads_back(folds_file):
    path = folds_file(lambda folds: None)
    for number, made in enumerate(make_folds(windows(12), FoldSpec(count=3), CLASSES), start=1):
        assert {"fold": number, **read_fold(path, number)} == made


@pytest.mark.parametrize("role", ["pretrain", "train", "valid"])
def test_a_subject_put_into_two_roles_by_hand_is_refused(folds_file, role):
    moved = []

    def change(folds):
        moved.append(folds[1]["test"][0])
        folds[1][role].append(moved[0])

    path = folds_file(change)
    for number in (1, 2, 3):  # whichever fold is read: the file cannot be trusted
        with pytest.raises(DataError, match=r"fold 2.*is in both|is in both") as caught:
            read_fold(path, number)
        assert moved[0] in str(caught.value)
        assert role in str(caught.value)
        assert "test" in str(caught.value)


def test_a_subject_named_twice_in_one_role_is_refused(folds_file):
    path = folds_file(lambda folds: folds[0]["train"].append(folds[0]["train"][0]))
    with pytest.raises(DataError, match="in both train and train"):
        read_fold(path, 1)


def test_a_subject_tested_in_two_folds_is_refused(folds_file):
    def change(folds):
        subject = folds[0]["test"][0]
        folds[2]["test"].append(subject)
        for role in ("pretrain", "train", "valid"):
            folds[2][role] = [s for s in folds[2][role] if s != subject]

    with pytest.raises(DataError, match="is tested in folds 1 and 3"):
        read_fold(folds_file(change), 2)


def test_a_fold_that_is_not_in_the_file_is_refused(folds_file):
    with pytest.raises(DataError, match="no fold 4"):
        read_fold(folds_file(lambda folds: None), 4)


def test_the_check_passes_what_is_right():
    check_folds(make_folds(windows(12), FoldSpec(count=3), CLASSES), "here")
