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


@pytest.mark.parametrize("scope", ["sleep_edf/", "sleep_edf/01", "sleep_edf/1/2"])
def test_a_scope_that_is_no_fold_is_refused(scope):
    """`sleep_edf/` was taken for the data set, and then passed over."""
    message = said({"overrides": {scope: {"train": {"epochs": 1}}}})
    assert f"overrides.{scope}: no fold" in message


@pytest.mark.parametrize("scope", ["sleep_edf", "sleep_edf/2"])
def test_an_unknown_encoder_of_one_data_set_is_refused(scope):
    """The plan ended with a traceback: `KeyError`."""
    message = said({"overrides": {scope: {"encoder": {"name": "dp_neuronett"}}}})
    assert f"overrides.{scope}.encoder.name: 'dp_neuronett' does not exist" in message
