"""Parts of a batch: which rows lose what, and putting parts together again."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from physiome.nn.physiome_parts import Part, draw_parts, join, rows_of

NAMES = ("a", "b", "c")


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(batch=st.integers(1, 40), count=st.integers(1, 9), seed=st.integers(0, 99))
def test_parts_are_the_whole_batch_once_and_each_keeps_something(batch, count, seed):
    parts = draw_parts(NAMES, batch, count, rng(seed))
    rows = [row for part in parts for row in range(batch)[part.rows]]
    assert rows == list(range(batch))
    assert len(parts) == max(1, min(count, batch // 2))
    assert all(len(range(batch)[part.rows]) >= min(2, batch) for part in parts)
    for part in parts:
        assert part.kept
        assert sorted((*part.kept, *part.dropped)) == list(NAMES)


def test_each_modality_is_dropped_a_third_of_the_time_and_never_all():
    drops = [draw_parts(NAMES, 2, 1, rng(seed))[0].dropped for seed in range(3000)]
    for m in NAMES:
        assert sum(m in d for d in drops) / 3000 == pytest.approx(1 / 3, abs=0.035)  # 4 errors
    for k in range(3):
        assert sum(len(d) == k for d in drops) / 3000 == pytest.approx(1 / 3, abs=0.035)
    assert len(set(drops)) == 7


def test_what_parts_say_is_joined_in_the_order_of_rows():
    parts = [Part(slice(0, 2), ("a",), ("b",)), Part(slice(2, 5), ("a", "b"), ())]
    x = torch.arange(5.0)[:, None]
    assert rows_of(x, parts, "b", "kept").flatten().tolist() == [2, 3, 4]
    assert rows_of(x, parts, "b", "dropped").flatten().tolist() == [0, 1]
    of_parts = [{m: x[p.rows] for m in "ab"} for p in parts]
    assert {m: t.flatten().tolist() for m, t in join(of_parts, parts, "kept").items()} == {
        "a": [0, 1, 2, 3, 4],
        "b": [2, 3, 4],
    }
    assert set(join(of_parts, parts, "dropped")) == {"b"}
