"""Fault 7: A wanted channel is absent.

Used without that modality, its windows stored as NaN and counted as `absent`; with
`strict_channels` left out, with the names there are and the nearest.
"""

import numpy as np
import pytest
from nights import left_out, to_folds, to_shard
from waves import EEG, EOG, dataset, list_records, noise, write, write_good

from physiome.data.store.shards import read_windows

LACKS, MISNAMED = "lacks", "misnamed"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Seven whole recordings, one without EOG, one whose EOG is misspelt."""
    folder = tmp_path_factory.mktemp("raw")
    write_good(folder)
    write(folder / f"{LACKS}.edf", {EEG: noise(7)})
    write(folder / f"{MISNAMED}.edf", {EEG: noise(8), "EOG horizontl": noise(9)})
    list_records(folder)
    return folder


def test_fault_07_the_record_is_used_without_the_modality_and_the_manifest_says_so(
    folder, tmp_path
):
    entries = to_shard(dataset(folder), folder, tmp_path)
    assert left_out(entries) == {}
    for record in (LACKS, MISNAMED):
        assert entries[record]["absent"].keys() == {"eog"}
        assert entries[record]["lost"]["eog"] == {"absent": 6}
    windows = read_windows([tmp_path / "shard"])
    lacking = windows["record"].isin([LACKS, MISNAMED])
    assert windows["has_eeg"].all()
    assert windows["has_eog"].tolist() == (~lacking).tolist()
    stored = np.load(tmp_path / "shard" / "eog.npy")
    assert np.isnan(stored[lacking.to_numpy()]).all()  # never zeros
    assert "eog absent: 6" in to_folds(dataset(folder), tmp_path).loc[LACKS, "lost_windows"]


def test_fault_07_strict_channels_leaves_it_out_with_the_names_there_are(folder, tmp_path):
    strict = dataset(folder, strict_channels=True)
    reasons = left_out(to_shard(strict, folder, tmp_path))
    assert set(reasons) == {LACKS, MISNAMED}
    assert "no channel 'EOG horizontal' for eog" in reasons[LACKS]
    assert f"{EEG}" in reasons[LACKS]
    assert "did you mean 'EOG horizontl'?" in reasons[MISNAMED]
    assert f"{EOG}" not in reasons[MISNAMED].split(" - ")[-1]
