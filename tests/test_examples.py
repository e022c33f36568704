"""Examples in docstrings are run."""

import doctest

import pytest
from tinyshards import tiny_store

from physiome.data.store import windows
from physiome.methods import base


@pytest.mark.parametrize("module", [windows, base], ids=lambda module: module.__name__)
def test_examples_in_docstrings_hold(module, tmp_path):
    folders = tiny_store(tmp_path, names=("eeg", "eog")).folders
    found = doctest.testmod(module, extraglobs={"folders": folders}, raise_on_error=False)
    assert found.attempted >= 3
    assert found.failed == 0
