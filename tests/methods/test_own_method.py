"""The example of a method of one's own in the documentation is a method that keeps the contract."""

import re
from pathlib import Path

import contract
import pytest
import torch
from tiny import inputs, waves

from physiome.methods.base import Method

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own-method.md"


@pytest.fixture(scope="module")
def build() -> contract.Build:
    """Builds the example from a seed."""
    (source,) = re.findall(r"```python\n(\"\"\"Contrast between.*?)```", PAGE.read_text(), re.S)
    namespace: dict = {"__name__": "pairs"}
    exec(compile(source, "own-method.md", "exec"), namespace)

    def made(seed: int) -> Method:
        torch.manual_seed(seed)
        return namespace["Pairs"].build({"width": 8}, inputs(), [])

    return made


def test_the_example_trains(build):
    contract.check_losses_are_finite_scalars(build, labelled=False)
    contract.check_a_gradient_reaches_every_trainable_parameter(build, labelled=False)
    contract.check_batches_may_lack_modalities(build, labelled=False)
    contract.check_one_seed_gives_one_training(build, labelled=False)
    contract.check_clipped_groups_hold_every_trainable_parameter_once(build)
    contract.check_the_loss_falls(build, labelled=False)
    contract.check_the_probe_beats_chance(build)


def test_the_example_embeds_every_subset_by_name(build, tmp_path):
    contract.check_every_subset_embeds_one_window_or_seven(build)
    contract.check_the_order_of_the_dictionary_does_not_matter(build)
    contract.check_an_absent_modality_cannot_influence(build)
    contract.check_saved_weights_give_the_same_embedding(build, tmp_path / "w.safetensors", False)


def test_the_example_averages_over_the_leads_that_are_there(build):
    method, signals = build(0).eval(), waves(batch=2)
    several = dict(signals)
    several["a"] = torch.stack([signals["a"], torch.full_like(signals["a"], torch.nan)], dim=1)
    with torch.no_grad():
        torch.testing.assert_close(method.embed(several), method.embed(signals))
