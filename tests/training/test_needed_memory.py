"""What a job takes of a GPU: as the same job of another fold did."""

import pytest
from model_manifests import model_manifest
from tinyshards import tiny_store
from toys import Stumbling, Toy, train

from physiome.config.gpu import GpuSpec
from physiome.files import write_json
from physiome.training import loop
from physiome.training.checkpoint import read_weights
from physiome.training.manifest import other_folds, training_peaks
from physiome.training.runtime import needed_bytes

SETTINGS = {"train": {"batch": 512}, "name": "physiome"}


def trained(root, fold, peak, settings=SETTINGS, name="physiome"):
    """A training of a fold is done; where its weights lie."""
    weights = root / f"models/d/fold{fold}/{name}.safetensors"
    made = {**settings, "parents": {"a": f"of fold {fold}"}}
    manifest = model_manifest("d", fold, name, {"peak_gpu_bytes": peak}, settings=made)
    write_json(weights.with_suffix(".json"), manifest.plain())
    return weights


def test_a_training_takes_what_it_took_in_other_folds_and_a_margin(tmp_path):
    trained(tmp_path, 1, int(8e9))
    trained(tmp_path, 3, int(6e9))
    trained(tmp_path, 4, int(60e9), name="crossl")
    trained(tmp_path, 5, int(90e9), {**SETTINGS, "train": {"batch": 1024}})  # before a change
    mine = tmp_path / "models/d/fold2/physiome.safetensors"
    peaks = [*training_peaks(mine, SETTINGS)]
    assert peaks == [int(8e9), int(6e9)]
    assert needed_bytes(peaks, GpuSpec()) == 11e9
    assert needed_bytes(peaks, GpuSpec(first_gb=2.0)) == 11e9


def test_what_no_fold_has_measured_is_what_the_settings_say_or_unknown(tmp_path):
    cpu = trained(tmp_path, 1, 0)  # on a CPU: it measured nothing
    (tmp_path / "models/d/fold2").mkdir()
    (tmp_path / "models/d/fold2/physiome.json").write_text("{")
    for output in (
        cpu,
        tmp_path / "models/d/fold7/physiome.safetensors",
        tmp_path / "x.safetensors",
    ):
        peaks = [*training_peaks(output, SETTINGS)]
        assert needed_bytes(peaks, GpuSpec()) is None
        assert needed_bytes(peaks, GpuSpec(first_gb=20.0)) == 20e9


def test_files_of_other_folds_are_found_below_encoders_too(tmp_path):
    for fold in (1, 2, 10):
        place = tmp_path / f"models/d/fold{fold}/encoders/dp_neuronet"
        place.mkdir(parents=True)
        (place / "eog.json").write_text("{}")
    found = other_folds(tmp_path / "models/d/fold2/encoders/dp_neuronet/eog.json")
    assert [p.parts[-4] for p in found] == ["fold1", "fold10"]


def test_a_resumed_trainings_peak_is_that_of_all_its_processes(tmp_path, monkeypatch):
    """It was the last one's, which may have done no more than write the weights."""
    store, output = tiny_store(tmp_path), tmp_path / "w.safetensors"
    with monkeypatch.context() as before:
        before.setattr(loop, "peak_gpu_bytes", lambda device, before=0: max(before, 7))
        failing = Stumbling(3, RuntimeError("power cut"))
        with pytest.raises(RuntimeError, match="power cut"):
            train(lambda: failing, store, output, save_every_s=0.0)
    train(Toy, store, output)
    assert read_weights(output)[1]["training"]["peak_gpu_bytes"] == 7
