"""What tests of planning share."""

import pytest
import yaml

from physiome.config.base import deep_merge


@pytest.fixture
def plain(repository, tmp_path, monkeypatch):
    """`plain(changes)`: the demo's merged configuration, in a working folder of the test."""
    monkeypatch.chdir(tmp_path)
    merged = {}
    for name in ("config.yaml", "workflow/overlays/demo.yaml"):
        merged = deep_merge(merged, yaml.safe_load((repository / name).read_text("utf-8")))
    return lambda **changes: deep_merge(merged, {"use_datasets": ["sleep_edf"], **changes})
