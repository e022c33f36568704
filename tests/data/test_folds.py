"""Folds by subject: whatever the data set, no subject plays two roles."""

import json
import math
import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physiome.config.folds import FoldSpec
from physiome.data.folds.coverage import held_classes, shortfalls
from physiome.data.folds.make import label_counts, make_folds
from physiome.data.folds.roles import ROLES, check_folds, read_fold, roles_of
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


def test_labelled_subjects_are_drawn_anew_in_every_fold():
    """All subjects are alike: one draw for all folds would take the same places in each."""
    table = windows(24)
    places = set()
    for fold in make_folds(table, FoldSpec(count=4, train_share=0.3, seed=0), CLASSES):
        rest = sorted(set(table["subject"]) - set(fold["test"]))
        places.add(tuple(rest.index(subject) for subject in fold["train"]))
    assert len(places) == 4


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


@pytest.mark.slow
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


@pytest.mark.slow
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
    for fold in make_folds(windows(100), FoldSpec(count=5, train_share=0.25), CLASSES):
        assert len(fold["test"]) == 20
        assert len(fold["train"]) == 20
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


@pytest.mark.parametrize(("labelled", "count"), [(10, 5), (10, 2), (40, 5)])
def test_many_subjects_without_a_label_leave_each_fold_its_labelled_ones(labelled, count):
    """They counted against those with labels: "40 subjects with labels are too few"."""
    others = windows(4 * labelled, labels=(-1,))
    others["subject"] = "u" + others["subject"]
    table = pd.concat([windows(labelled), others], ignore_index=True)
    for fold in make_folds(table, FoldSpec(count=count), CLASSES):
        for role in ("train", "test"):
            assert sum(subject.startswith("s") for subject in fold[role]) >= 2
        assert fold["pretrain"]


def test_subjects_without_a_label_do_not_count():
    table = pd.concat([windows(6), windows(12, labels=(-1,)).query("subject > 's05'")])
    with pytest.raises(DataError, match="6 subjects with labels"):
        make_folds(table, FoldSpec(count=5), CLASSES)


# --- every class among the labelled and the test subjects


def rare(positives, subjects=42, each=20, few=2):
    """Subjects of class a; `positives` of them also have windows of class b, one more each."""
    names = np.array([f"s{s:02d}" for s in range(subjects)])
    more = np.repeat(names[positives], few + np.arange(len(positives)))
    everyone = np.repeat(names, each)
    label = np.repeat([0, 1], [len(everyone), len(more)])
    return pd.DataFrame({"subject": np.concatenate([everyone, more]), "label": label})


def subjects_with(table, fold, role, label):
    mine = table[(roles_of(table, fold) == role) & (table["label"] == label)]
    return mine["subject"].nunique()


def test_a_rare_class_has_two_subjects_where_chance_would_leave_it_out():
    """The twin: any draw at random, however balanced by windows, has folds without the class."""
    for seed in range(5):
        positives = np.random.default_rng(seed).choice(42, 8, replace=False)
        table, spec = rare(positives), FoldSpec(count=4, train_share=0.1, seed=seed)
        for fold in make_folds(table, spec, CLASSES):
            assert len(fold["train"]) == round(0.1 * (42 - len(fold["test"])))
            assert subjects_with(table, fold, "train", 1) >= 2
            assert subjects_with(table, fold, "test", 1) >= 2


@pytest.mark.slow
@FEW
@given(st.integers(2, 4), st.integers(0, 3), st.integers(0, 999))
def test_two_subjects_a_fold_are_given_wherever_a_class_has_enough(count, more, seed):
    rng = np.random.default_rng(seed)
    subjects = int(rng.integers(4 * count, 40))
    positives = rng.choice(subjects, min(subjects, 2 * count + more), replace=False)
    table = rare(positives, subjects, each=int(rng.integers(1, 30)), few=int(rng.integers(1, 30)))
    for fold in make_folds(table, FoldSpec(count=count, train_share=0.3, seed=seed), CLASSES):
        for role in ("train", "test"):
            assert subjects_with(table, fold, role, 1) >= 2


def test_several_rare_classes_are_all_held():
    subjects = 30
    table = windows(subjects, labels=(0,))
    for label in (1, 2, 3, 4):
        names = [f"s{(label * 7 + 5 * i) % subjects:02d}" for i in range(6)]
        some = windows(subjects, labels=(label,), each=3)
        table = pd.concat([table, some[some["subject"].isin(names)]], ignore_index=True)
    for fold in make_folds(table, FoldSpec(count=3, train_share=0.5), list("abcde")):
        for role in ("train", "test"):
            assert all(subjects_with(table, fold, role, label) >= 2 for label in range(5))


def test_what_the_data_do_not_allow_is_refused_with_fold_role_class_and_counts():
    with pytest.raises(DataError) as caught:
        make_folds(rare([3, 17]), FoldSpec(count=4), CLASSES)
    text = str(caught.value)
    absent = re.findall(r"fold (\d), test: no subjects with class 'b' \(2 in all\)", text)
    assert len(absent) == 2  # two of four folds have one each
    for cure in ("folds.count", "folds.train_share", "recordings", "allow_missing_classes: true"):
        assert cure in text


def test_one_subject_of_a_class_is_enough_to_go_on():
    table = rare([1, 11, 21, 31])
    for fold in make_folds(table, FoldSpec(count=4, train_share=0.3), CLASSES):
        assert subjects_with(table, fold, "test", 1) == 1
        assert subjects_with(table, fold, "train", 1) >= 2


def test_missing_classes_are_allowed_if_one_says_so():
    table = rare([5])
    folds = make_folds(table, FoldSpec(count=4, allow_missing_classes=True), CLASSES)
    found = shortfalls(folds, held_classes(label_counts(table), CLASSES))
    tested = [s.fold for s in found if (s.role, s.subjects) == ("test", 0)]
    learned = [s.fold for s in found if (s.role, s.subjects) == ("train", 0)]
    assert len(tested) == 3
    assert learned == sorted({1, 2, 3, 4} - set(tested))  # nobody else can teach it
    assert {s.name for s in found} == {"b"}


def test_windows_of_subjects_outside_the_fold_have_no_role():
    fold = {"pretrain": ["s00"], "train": ["s01", "s02"], "test": ["s03"]}
    assert roles_of(windows(5, labels=(0,), each=1), fold).tolist() == [
        "pretrain",
        "train",
        "train",
        "test",
        "",
    ]


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


@pytest.mark.parametrize("role", ["pretrain", "train"])
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
        for role in ("pretrain", "train"):
            folds[2][role] = [s for s in folds[2][role] if s != subject]

    with pytest.raises(DataError, match="is tested in folds 1 and 3"):
        read_fold(folds_file(change), 2)


def test_a_fold_that_is_not_in_the_file_is_refused(folds_file):
    with pytest.raises(DataError, match="no fold 4"):
        read_fold(folds_file(lambda folds: None), 4)


def test_the_check_passes_what_is_right():
    check_folds(make_folds(windows(12), FoldSpec(count=3), CLASSES), "here")
