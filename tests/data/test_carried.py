"""A class that never carries a modality is told before anything is trained."""

import pandas as pd
import pytest

from physiome.data.folds.carried import require_modalities
from physiome.errors import DataError

CLASSES = ("sick", "well")
FOLDS = [
    {"fold": 1, "pretrain": ["p1"], "train": ["t1"], "test": ["x1"]},
    {"fold": 2, "pretrain": ["p2"], "train": ["t2"], "test": ["x2"]},
]


@pytest.fixture
def windows():
    """Two windows of each class for every subject, all with both modalities."""
    subjects = [fold[role][0] for fold in FOLDS for role in ("pretrain", "train", "test")]
    rows = [(s, label) for s in subjects for label in (0, 0, 1, 1)]
    table = pd.DataFrame(rows, columns=["subject", "label"])
    return table.assign(has_eeg=True, has_eog=True)


def test_complete_windows_lack_nothing(windows):
    assert require_modalities(windows, FOLDS, CLASSES, allowed=False) == []


def test_a_class_without_a_modality_is_refused_with_every_fold_role_and_subset(windows):
    windows.loc[windows["label"] == 1, "has_eog"] = False
    with pytest.raises(DataError) as caught:
        require_modalities(windows, FOLDS, CLASSES, allowed=False)
    said = str(caught.value)
    for fold in (1, 2):
        for role in ("labelled", "test"):
            for subset in ("eog", "eeg+eog"):
                assert f"fold {fold}, {role}: 'well' without {subset}" in said
    assert "without eeg;" not in said
    assert "allow_missing_classes" in said
    assert len(require_modalities(windows, FOLDS, CLASSES, allowed=True)) == 8


def test_a_class_that_a_role_does_not_have_at_all_is_left_to_the_folds(windows):
    kept = windows[~((windows["subject"] == "x1") & (windows["label"] == 1))]
    assert require_modalities(kept, FOLDS, CLASSES, allowed=False) == []


def test_modalities_never_together_leave_their_subset_to_no_class(windows):
    windows["has_eog"] = [True, False] * (len(windows) // 2)
    windows["has_eeg"] = ~windows["has_eog"]
    found = require_modalities(windows, FOLDS, CLASSES, allowed=True)
    assert all("every class without eeg+eog" in text for text in found)
    assert len(found) == 2 * 2  # folds, roles


def test_a_modality_in_no_recording_is_refused_even_if_classes_may_be_lacking(windows):
    windows["has_eog"] = False
    with pytest.raises(DataError, match="no window of any record carries eog"):
        require_modalities(windows, FOLDS, CLASSES, allowed=True)


def test_a_modality_that_no_pretrain_subject_carries_is_refused_with_the_fold(windows):
    windows.loc[windows["subject"] == "p2", "has_eeg"] = False
    with pytest.raises(DataError, match="fold 2: eeg"):
        require_modalities(windows, FOLDS, CLASSES, allowed=True)


def test_of_many_modalities_the_smallest_subsets_are_told(windows):
    windows = windows.assign(**{f"has_m{i}": True for i in range(6)})
    windows.loc[windows["label"] == 1, ["has_m0", "has_m5"]] = False
    found = require_modalities(windows, FOLDS, CLASSES, allowed=True)
    assert len(found) == 2 * 2 * 2  # folds, roles, modalities; none of the 190 that hold them
    assert {text.split()[-1] for text in found} == {"m0", "m5"}
