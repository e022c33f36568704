import json

import pandas as pd
import pytest
from model_manifests import model_manifest
from typer.testing import CliRunner

from physiome.cli import app
from physiome.errors import DataError
from physiome.files import write_json
from physiome.steps import costs

SETTINGS = {"dataset": "toy", "methods": {"m": "Main", "c": "Control"}}


@pytest.fixture
def manifest(tmp_path):
    """`manifest(name, fold, ...)` writes a training's manifest and returns its path."""

    def write(name="m", fold=0, *, dataset="toy", rss=10, cpu_s=90.0, **training):
        told = {"epochs": 5, "parameters": 1000, "trained_parameters": 300, **training}
        path = tmp_path / f"{dataset}/fold{fold}/{name}.json"
        found = model_manifest(dataset, fold, name, told, peak_rss_bytes=rss, cpu_s=cpu_s)
        write_json(path, found.plain())
        return path

    return write


def table(place, manifests, benchmarks=None, **changes):
    costs.run(json.dumps(SETTINGS | changes), manifests, place / "c.csv", benchmarks)
    return pd.read_csv(place / "c.csv").set_index("method")


def benchmark(path, text):
    path.write_text("s\th:m:s\tmax_rss\tcpu_time\n" + text + "\n")
    return path


def test_times_are_means_over_folds_and_memory_is_the_largest(tmp_path, manifest):
    first = manifest(fold=0, seconds=100.0, rss=50, peak_gpu_bytes=700)
    second = manifest(fold=1, seconds=200.0, rss=900, segments_per_s=60.0)
    row = table(tmp_path, [first, second]).loc["m"]
    assert (row["training_s"], row["segments_per_s"], row["folds"]) == (150.0, 50.0, 2)
    assert (row["peak_memory_bytes"], row["peak_gpu_bytes"]) == (900, 700)
    assert (row["parameters"], row["trained_parameters"]) == (1000, 300)
    assert (row["title"], row["device"], row["precision"]) == ("Main", "cpu", "fp32")
    assert row["pretraining_s"] == 0


def test_pretraining_is_summed_over_encoders_of_the_same_folds(tmp_path, manifest):
    for name in ("a", "encoders/b"):
        for fold in (0, 1, 2):
            manifest(name, fold, seconds=10.0 * (fold + 1))
    models, before = [manifest(fold=0), manifest(fold=1)], {"a": [0, 1, 2], "encoders/b": [0, 1, 2]}
    told = {"folder": str(tmp_path / "toy"), "ancestors": {"m": before}}
    row = table(tmp_path, models, **told).loc["m"]
    assert row["pretraining_s"] == pytest.approx((2 * 10 + 2 * 20) / 2)
    assert row["training_s"] == 100
    with pytest.raises(DataError, match="different numbers of trainings"):
        table(tmp_path, models, **told | {"ancestors": {"m": {**before, "a": [1, 2]}}})


def test_method_that_never_trains_has_an_empty_row(tmp_path, manifest):
    found = table(tmp_path, [manifest(), manifest("x"), manifest(dataset="other")])
    assert list(found.index) == ["m", "c"]
    assert found.loc["c", "folds"] == 0
    assert found.loc["c", costs.COLUMNS[3:-1]].isna().all()
    assert found.loc["m", "folds"] == 1


def test_job_times_come_from_the_benchmarks_that_are_there(tmp_path, manifest):
    models = [manifest(fold=fold, cpu_s=100.0 * fold) for fold in (0, 1, 2)]
    files = [
        benchmark(tmp_path / "0.tsv", "120\t0:02:00\t90\t-"),
        tmp_path / "absent.tsv",
        benchmark(tmp_path / "2.tsv", "180\t0:03:00\t90\t400"),
    ]
    row = table(tmp_path, models, files).loc["m"]
    assert (row["job_s"], row["cpu_s"]) == (150, 100)
    assert table(tmp_path, models)["job_s"].isna().all()


@pytest.mark.parametrize("text", ["", "no table", "s\th:m:s"])
def test_a_benchmark_that_was_cut_off_leaves_its_job_out(text, tmp_path, manifest):
    (tmp_path / "0.tsv").write_text(text)
    row = table(tmp_path, [manifest(fold=0)], [tmp_path / "0.tsv"]).loc["m"]
    assert pd.isna(row["job_s"])


def test_files_that_do_not_pair_up_are_refused(tmp_path, manifest):
    with pytest.raises(DataError, match=r"do not pair up.*1 and 2"):
        table(tmp_path, [manifest(fold=0), manifest(fold=1)], [tmp_path / "0.tsv"])
    with pytest.raises(DataError, match="occurs twice"):
        table(tmp_path, [manifest()] * 2)
    assert not (tmp_path / "c.csv").exists()


def test_a_table_of_controls_alone_has_rows_without_costs(tmp_path):
    output = tmp_path / "c.csv"
    words = ["costs", "--settings", json.dumps(SETTINGS), "--output", str(output)]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert pd.read_csv(output)["folds"].tolist() == [0, 0]
