"""The example notebook runs, on a run and on a bundle."""

import json

import matplotlib
import numpy as np
import pytest
from tiny_run import METHOD, NAME

from physiome.predict.bundle import export

pytestmark = pytest.mark.slow  # it takes a run of two folds


def executed(repository):
    """The names that the notebook's code cells leave, run in order in a namespace of their own."""
    told = json.loads((repository / "docs" / "example.ipynb").read_text("utf-8"))
    assert told["nbformat"] == 4
    names: dict = {}
    for number, cell in enumerate(told["cells"]):
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []  # what is stored tells no old story
            exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
    return names


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_the_notebook_runs_and_does_what_it_says(
    repository, tiny_run, nights, tmp_path, monkeypatch, kind
):
    model = tiny_run
    if kind == "bundle":
        model = tmp_path / "bundle.zip"
        export.run(tiny_run, model, method=METHOD)
    given = {"MODEL": model, "DATASET": NAME, "METHOD": METHOD, "RECORDING": nights.recording}
    for key, value in given.items():
        monkeypatch.setenv(f"PHYSIOME_{key}", str(value))
    with matplotlib.rc_context():
        matplotlib.use("Agg")
        names = executed(repository)
        names["plt"].close(names["figure"])
    whole, without, lost = names["p"].values()
    third = len(whole) // 3
    middle = slice(third, 2 * third)
    np.testing.assert_allclose(lost[middle], without[middle], atol=1e-5)
    np.testing.assert_allclose(lost[:third], whole[:third], atol=1e-5)
    assert np.abs(whole[middle] - without[middle]).max() > 1e-3
    assert names["whole"].shape == names["lacking"].shape
    assert len(names["figure"].axes) == 3
