"""Examples in docstrings are run, and the method of `docs/own-method.md`."""

import ast
import doctest
import re
from types import SimpleNamespace

import pytest
import torch
import yaml
from tinyshards import tiny_store

from physiome import registry
from physiome.config.base import deep_merge
from physiome.config.tree import Config
from physiome.data.store import windows
from physiome.methods import base


@pytest.mark.parametrize("module", [windows, base], ids=lambda module: module.__name__)
def test_examples_in_docstrings_hold(module, tmp_path):
    folders = tiny_store(tmp_path, names=("eeg", "eog")).folders
    found = doctest.testmod(module, extraglobs={"folders": folders}, raise_on_error=False)
    assert found.attempted >= 3
    assert found.failed == 0


def test_the_method_of_the_page_is_configured_and_learns(repository, monkeypatch):
    """Its settings were refused: `pairs has no settings`."""
    text = (repository / "docs/own-method.md").read_text("utf-8")
    code, line = re.findall(r"^```python\n(.*?)^```$", text, re.S | re.M)
    (changes,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.S | re.M)
    entry = registry.Entry(*ast.literal_eval(line.split("Entry", 1)[1].strip().rstrip(",")))
    monkeypatch.setitem(registry.METHODS, "pairs", entry)
    shipped = yaml.safe_load((repository / "config.yaml").read_text("utf-8"))
    config = Config.load(deep_merge(shipped, yaml.safe_load(changes)))
    found = config.resolve("pairs", "sleep_edf")
    assert found.settings == {"width": 48}
    assert (found.train.epochs, found.train.batch) == (20, 128)
    names = {}
    exec(code, names)
    pairs = names["Pairs"].build(found.settings, SimpleNamespace(modalities=("eeg", "eog")), ())
    batch = {m: torch.randn(4, 3000) for m in ("eeg", "eog")}
    sum(pairs.loss(batch, torch.Generator()).values()).backward()
    assert all(p.grad is not None for p in pairs.parameters())
    assert pairs.fuse(pairs.encode(batch)).shape == (4, 48)
