"""Embeddings on disk: rows in order, NaN where a modality is missing, one encoding of each."""

import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from tiny import NAMES, RATE_HZ, SAMPLES, physiome, waves
from tinyshards import tiny_store

from physiome.evaluation.embed import embed_subsets, embed_windows
from physiome.evaluation.facts import EmbeddingFacts
from physiome.methods.base import Method
from physiome.methods.controls import HandMade
from physiome.subsets import all_subsets, parse_subset, subset_name

SUBSETS = all_subsets(NAMES)
ABSENT = {"a": [4, 9], "b": [9, 13], "c": [1, 4, 5, 13]}  # 4: only b; 9: only c; 13: only a


class Counting(Method):
    """Its embedding tells which modalities it saw; it counts how often each was encoded."""

    def __init__(self, names=NAMES):
        super().__init__(names)
        self.encoded: Counter[str] = Counter()
        self.rows: list[int] = []

    def encode(self, observed):
        self.encoded.update(observed.keys())
        self.rows.append(len(next(iter(observed.values()))))
        return {m: x[:, :4] for m, x in observed.items()}

    def fuse(self, encoded):
        return torch.stack(list(encoded.values())).sum(dim=0)


def check_a_subset_sees_only_its_own_signals(embed) -> None:
    """Each subset is what the signals of its names give, and no other signal changes it."""
    method, signals = physiome().eval(), waves(3)
    found = embed(method, signals, SUBSETS)
    for subset in SUBSETS:
        alone = method.embed({m: signals[m] for m in subset})
        assert torch.equal(found[subset], alone), subset
    for m in NAMES:
        changed = embed(method, {**signals, m: signals[m].flip(0)}, SUBSETS)
        for subset in SUBSETS:
            assert torch.equal(changed[subset], found[subset]) == (m not in subset)


def embed_by_position(method, signals, subsets):
    """The i-th chosen name is given the i-th channel: a published probe fed EEG as EOG."""
    channels = list(signals.values())
    return {s: method.embed({m: channels[i] for i, m in enumerate(s)}) for s in subsets}


def test_a_subset_sees_only_its_own_signals_and_the_planted_mix_up_is_caught():
    check_a_subset_sees_only_its_own_signals(embed_subsets)
    with pytest.raises(AssertionError):
        check_a_subset_sees_only_its_own_signals(embed_by_position)


def test_all_subsets_of_a_batch_need_one_encoding_of_each_modality():
    method = Counting()
    found = embed_subsets(method, waves(3), SUBSETS)
    assert list(found) == SUBSETS
    assert method.encoded == dict.fromkeys(NAMES, 1)
    real = physiome().eval()
    calls = []
    for encoder in real.encoders.values():
        encoder.register_forward_hook(lambda *_: calls.append(1))
    embed_subsets(real, waves(3), SUBSETS)
    assert len(calls) == 3


def test_subsets_that_the_signals_do_not_hold_are_left_out():
    found = embed_subsets(Counting(), waves(2, ("a", "c")), SUBSETS)
    assert list(found) == [("a",), ("c",), ("a", "c")]


def written(output):
    told = json.loads(output.with_suffix(".json").read_text())
    return np.load(output), told, pd.read_parquet(output.with_suffix(".parquet"))


def write(method, store, index, output, batch=3):
    roles = np.array(["train", "test"] * 50)[: len(index)]
    embed_windows(method, store, index, roles, batch, output, EmbeddingFacts("toy", 0, "m", []))
    return written(output)


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_rows_stand_in_the_given_order_and_are_nan_exactly_where_a_modality_is_missing(
    batch, tmp_path
):
    store = tiny_store(tmp_path, windows=16, absent=ABSENT)
    index = np.array([13, 2, 9, 4, 0, 1, 15, 5])  # over both shards, not sorted
    values, told, table = write(Counting(), store, index, tmp_path / "e.npy", batch)
    signals = waves(16)
    assert values.shape == (8, 4 * 7)
    assert values.dtype == np.float32
    for subset in SUBSETS:
        start, stop = told["columns"][subset_name(subset)]
        for row, window in enumerate(index):
            if any(window in ABSENT[m] for m in subset):
                assert np.isnan(values[row, start:stop]).all()
            else:
                expected = sum(signals[m][window, :4] for m in subset)
                np.testing.assert_allclose(values[row, start:stop], expected, rtol=1e-6)
    expected = store.table.iloc[index]
    assert table["record"].tolist() == expected["record"].tolist()
    assert table["number"].tolist() == expected["number"].tolist()
    assert table["role"].tolist() == ["train", "test"] * 4
    for m in NAMES:
        assert table[f"has_{m}"].tolist() == [n not in ABSENT[m] for n in index]


def test_a_window_without_any_modality_is_a_row_of_nan(tmp_path):
    store = tiny_store(tmp_path, windows=8, absent={m: [3] for m in NAMES})
    values, _, _ = write(Counting(), store, np.arange(8), tmp_path / "e.npy")
    assert np.isnan(values).all(axis=1).tolist() == [n == 3 for n in range(8)]


def test_the_facts_say_what_the_columns_are(tmp_path):
    store = tiny_store(tmp_path)
    values, told, _ = write(HandMade(NAMES, RATE_HZ), store, np.arange(12), tmp_path / "e.npy")
    assert told["dataset"] == "toy"
    assert told["modalities"] == list(NAMES)
    assert told["windows"] == 12
    assert told["comparable"] is False
    spans = sorted(told["columns"].values())
    assert spans[0][0] == 0
    assert spans[-1][1] == values.shape[1]
    assert all(one[1] == other[0] for one, other in pairwise(spans))
    for name, (start, stop) in told["columns"].items():
        assert stop - start == 16 * len(parse_subset(name, NAMES))
    assert not np.isnan(values).any()


def test_each_window_is_encoded_once(tmp_path):
    method = Counting()
    store = tiny_store(tmp_path, windows=16, absent=ABSENT)
    write(method, store, np.arange(16), tmp_path / "e.npy")
    assert sum(method.rows) - 2 == 16  # two made-up windows tell the widths


def test_embedding_is_in_evaluation_mode_and_equals_embedding_by_hand(tmp_path):
    method = physiome()
    assert method.training
    store = tiny_store(tmp_path)
    values, told, _ = write(method, store, np.arange(12), tmp_path / "e.npy", batch=5)
    signals = waves(12)
    for subset in SUBSETS:
        start, stop = told["columns"][subset_name(subset)]
        expected = method.embed({m: signals[m] for m in subset})
        np.testing.assert_allclose(values[:, start:stop], expected, rtol=1e-4, atol=1e-5)


class Failing(Counting):
    def fuse(self, encoded):
        if len(self.rows) > 2:
            raise RuntimeError("stopped")
        return super().fuse(encoded)


def test_a_failure_in_the_middle_leaves_nothing_behind(tmp_path):
    store = tiny_store(tmp_path)
    with pytest.raises(RuntimeError, match="stopped"):
        write(Failing(), store, np.arange(12), tmp_path / "out" / "e.npy")
    assert list((tmp_path / "out").iterdir()) == []


def test_samples_of_the_store_are_those_of_the_waves(tmp_path):
    """What the other tests take for granted."""
    store = tiny_store(tmp_path)
    assert set(store.shapes.values()) == {(SAMPLES,)}
    np.testing.assert_array_equal(store.read(np.array([7]), ["b"])["b"], waves(12)["b"][7:8])
