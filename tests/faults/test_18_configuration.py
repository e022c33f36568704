"""Fault 18: Configuration: typo, wrong type, out of range, contradictory.

One line before any job: path of the key, its value, what is allowed, the nearest known key.
"""

import subprocess
import sys

import pytest
import yaml
from command import refused

EEG = {"channel": "EEG Fpz-Cz", "unit": "uV"}
REFUSED = {
    "typo": ({"train": {"learning_rat": 1.0e-4}}, ["train.learning_rat", "'learning_rate'"]),
    "wrong type": ({"train": {"epochs": "many"}}, ["train.epochs", "'many'", "number"]),
    "out of range": ({"folds": {"count": 1}}, ["folds.count", "1", "2"]),
    "NaN": (
        {"train": {"learning_rate": float("nan")}},
        ["train.learning_rate: nan", "finite number"],
    ),
    "heads not dividing width": ({"encoder": {"heads": 6}}, ["encoder", "width 512", "6 heads"]),
    "mask ratio 1.0": ({"encoder": {"mask_ratio": 1.0}}, ["encoder.mask_ratio", "1.0", "less"]),
    "unknown modality of a subset": (
        {"ablations": {"table4": {"subsets": ["eeg_fpz+eog"]}}},
        ["ablations.table4.subsets", "eeg_fpz", "'eeg_fpz_cz'"],
    ),
    "unknown modality of a system": (
        {"systems": {"physioomni": {"spectral": ["eeg_fpz"]}}},
        ["physioomni.spectral", "'eeg_fpz'", "did you mean 'eeg_fpz_cz'"],
    ),
    "unknown modality of a system's ratios": (
        {"systems": {"physioomni": {"mask_ratios": {"eogg": 0.5}}}},
        ["physioomni.mask_ratios", "'eogg'", "did you mean 'eog'"],
    ),
    "duplicate modality": (
        {"datasets": {"sleep_edf": {"modalities": {"eeg_again": EEG}}}},
        ["datasets.sleep_edf", "eeg_fpz_cz and eeg_again", "'EEG Fpz-Cz'"],
    ),
    "duplicate modality by an alias": (
        {"datasets": {"sleep_edf": {"modalities": {"eog": {"aliases": ["EEG Pz-Oz"]}}}}},
        ["datasets.sleep_edf", "eeg_pz_oz and eog", "'EEG Pz-Oz'"],
    ),
    "empty classes": (
        {"datasets": {"sleep_edf": {"classes": []}}},
        ["datasets.sleep_edf.classes", "[]", "at least 2"],
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_fault_18_a_configuration_that_cannot_work_names_path_value_and_what_is_allowed(
    case, repository, tmp_path, capsys, monkeypatch
):
    changes, wanted = REFUSED[case]
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump(changes), encoding="utf-8")
    line = refused(capsys, monkeypatch, "check", repository / "config.yaml", mine)
    for part in wanted:
        assert part.lower() in line.lower()


def test_fault_18_a_run_stops_before_its_first_job(repository, tmp_path):
    (tmp_path / "mine.yaml").write_text("train: {epoch: 3}\n", encoding="utf-8")
    snakefile = str(repository / "Snakefile")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-s", snakefile, "--configfile", "mine.yaml", "-c1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "train.epoch: unknown key - did you mean 'epochs'?" in done.stderr
    assert not (tmp_path / "results").exists()
