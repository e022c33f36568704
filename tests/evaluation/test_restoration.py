"""The error of restored tokens, against values known in closed form."""

import numpy as np
import pytest
import torch
from tiny import physiome
from tinyshards import tiny_store

from physiome.evaluation.restoration import restoration_error
from physiome.evaluation.restored_example import COMPONENTS, restored_examples
from physiome.methods.base import Method


class Known(Method):
    """Tokens are the signal's first three samples; what is missing is guessed by a rule."""

    restores = True

    def __init__(self, guess):
        super().__init__(("a", "b", "c"))
        self.guess = guess
        self.register_buffer("nothing", torch.zeros(1))

    def encode(self, observed):
        return {m: x[:, :4, None].expand(-1, -1, 2) for m, x in observed.items()}  # (B, 4, 2)

    def restore(self, encoded):
        missing = [m for m in self.modalities if m not in encoded]
        return {m: self.guess(m).expand(len(next(iter(encoded.values()))), 3, 2) for m in missing}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tiny_store(tmp_path_factory.mktemp("store"), windows=24)


def tokens(store, m):
    x = torch.from_numpy(store.read(np.arange(24), (m,))[m])
    return x[:, 1:4, None].expand(-1, -1, 2)  # as encoded, without the first


def test_the_mean_token_has_relative_error_one(store):
    method = Known(lambda m: tokens(store, m).mean(dim=0))
    found = restoration_error(method, store, np.arange(24), batch=7)
    assert set(found) == {"a", "b", "c", "a+b", "a+c", "b+c"}
    assert set(found["a"]) == {"b", "c"}
    assert set(found["a+b"]) == {"c"}
    for by_modality in found.values():
        for values in by_modality.values():
            assert values["relative"] == pytest.approx(1.0, rel=1e-5)


def test_zeros_have_the_mean_square_of_the_tokens_as_error(store):
    method = Known(lambda m: torch.zeros(1, 3, 2))
    found = restoration_error(method, store, np.arange(24), batch=24)
    for m in ("b", "c"):
        expected = float(tokens(store, m).square().mean())
        assert found["a"][m]["mse"] == pytest.approx(expected, rel=1e-5)


def test_perfect_restoration_has_no_error(store):
    only = np.array([3, 3])  # one window, so the guess can be right for all
    method = Known(lambda m: tokens(store, m)[3])
    found = restoration_error(method, store, only, batch=4)
    assert found["c"]["a"]["mse"] == 0.0


def test_physiome_restores_and_other_methods_say_nothing(store):
    assert set(restoration_error(physiome().eval(), store, np.arange(8), 4)) == {
        "a",
        "b",
        "c",
        "a+b",
        "a+c",
        "b+c",
    }
    assert restoration_error(physiome(restoration="masked").eval(), store, np.arange(8), 4) == {}
    assert restoration_error(Method(("a", "b", "c")), store, np.arange(8), 4) == {}


def test_an_example_of_the_mean_token_is_blank_and_all_wrong(store):
    method = Known(lambda m: tokens(store, m).mean(dim=0))
    found = restored_examples(method, store, np.arange(24), batch=7)
    assert list(found) == ["a", "b", "c"]
    for m, one in found.items():
        assert one["observed"] == "+".join(x for x in "abc" if x != m)
        assert np.abs(one["restored"]).max() == 0
        assert np.shape(one["true"]) == (3, 2)
        assert one["explained"] == pytest.approx(1.0)


def test_the_example_is_the_window_of_median_error_in_the_true_tokens_own_axes(store):
    method = Known(lambda m: tokens(store, m)[:1])
    one = restored_examples(method, store, np.arange(24), batch=5)["b"]
    true = tokens(store, "b").double()
    true = true - true.mean(dim=0)
    errors = (true - true[0]).square().sum(dim=(1, 2)) / true.square().sum(dim=(1, 2)).mean()
    place = int(errors.argsort()[12])
    row = store.table.iloc[place]
    assert (one["record"], one["number"]) == (row["record"], row["number"])
    assert one["relative"] == pytest.approx(float(errors[place]))
    axis = np.linalg.svd(true.reshape(-1, 2).numpy())[2][0]
    first = np.array(one["true"])[:, 0]
    np.testing.assert_allclose(np.abs(first), np.abs(true[place].numpy() @ axis), atol=1e-3)


def test_examples_of_physiome_hold_few_components_and_others_have_none(store):
    found = restored_examples(physiome().eval(), store, np.arange(8), 4)
    assert np.shape(found["a"]["restored"])[1] <= COMPONENTS
    assert restored_examples(physiome().eval(), store, np.arange(1), 4) == {}
    assert restored_examples(physiome(restoration="masked").eval(), store, np.arange(8), 4) == {}
