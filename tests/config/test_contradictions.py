"""Settings that are well formed and cannot be meant, or would be passed over, are refused."""

import pytest
from plain_config import shipped

from physiome.config.base import deep_merge
from physiome.config.tree import Config
from physiome.errors import ConfigError


def said(changes):
    """What a configuration with these changes is told."""
    with pytest.raises(ConfigError) as caught:
        Config.load(deep_merge(shipped(), changes))
    return str(caught.value)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_folds_are_drawn_from_a_seed_that_their_library_takes(seed):
    """It ended the step `folds`, behind all shards, with a traceback."""
    assert f"folds.seed: {seed} - " in said({"folds": {"seed": seed}})


def test_trainings_have_no_negative_seed():
    """Each of them ended with a traceback before its first step."""
    assert "train.seed: -1 - " in said({"train": {"seed": -1}})
    variant = {"of": "physiome", "title": "x", "train": {"seed": -1}}
    assert "variants.x.train.seed: -1 - " in said({"variants": {"x": variant}, "methods_add": ["x"]})
