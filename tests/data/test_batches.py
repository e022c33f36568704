"""Windows from shards, and batches of them: nothing twice, nothing mixed, nothing left behind."""

import threading
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physiome.data.store.batches import ordered_batches, patterns, prefetch, training_batches
from physiome.data.store.shards import window_columns, write_shard
from physiome.data.store.windows import WindowStore
from physiome.errors import DataError

MODALITIES = ("a", "b")
SAMPLES = 20


def shard(folder, has, seed=0, digest="same"):
    """A shard of random windows; `has` is (n, 2) bool. Returns modality -> rows as written."""
    rng = np.random.default_rng(seed)
    has = np.asarray(has, dtype=bool).reshape(-1, 2)
    table = pd.DataFrame(
        {name: [0] * len(has) for name in window_columns(dict.fromkeys(MODALITIES, (SAMPLES,)))}
    )
    table["record"], table["subject"], table["number"] = folder.name, "s", range(len(has))
    rows = {}
    for i, modality in enumerate(MODALITIES):
        x = rng.normal(3 * i, 1 + i, size=(len(has), SAMPLES)).astype(np.float32)
        x[~has[:, i]] = np.nan
        table[f"has_{modality}"] = has[:, i]
        table[f"mean_{modality}"] = x.mean(axis=1, dtype=float)
        table[f"var_{modality}"] = x.var(axis=1, dtype=float)
        rows[modality] = x
    with write_shard(
        folder, dict.fromkeys(MODALITIES, (SAMPLES,)), {"settings_digest": digest}
    ) as writer:
        if len(has):
            writer.add(rows, table)
        writer.note({"record": folder.name})
    return rows


def store(tmp_path, *sizes, pattern=((1, 1),)):
    """A store over shards of the given sizes, whose windows take turns through `pattern`."""
    folders, rows = [tmp_path / f"shard{i}" for i in range(len(sizes))], []
    for i, (folder, size) in enumerate(zip(folders, sizes, strict=True)):
        rows.append(shard(folder, [pattern[n % len(pattern)] for n in range(size)], seed=i))
    joined = {m: np.concatenate([r[m] for r in rows]) for m in MODALITIES}
    return WindowStore(folders, MODALITIES), joined


MIXED = ((1, 1), (1, 0), (1, 1), (0, 1), (0, 0), (1, 1))


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=4).filter(any),
    random=st.randoms(use_true_random=False),
)
def test_what_is_read_is_what_was_written(tmp_path_factory, sizes, random):
    opened, written = store(tmp_path_factory.mktemp("store"), *sizes, pattern=MIXED)
    index = np.array(random.choices(range(sum(sizes)), k=12))  # any order, with repeats
    read = opened.read(index, MODALITIES)
    for modality in MODALITIES:
        np.testing.assert_array_equal(read[modality], written[modality][index])
        assert read[modality].dtype == np.float32


def test_only_the_modalities_asked_for_are_read(tmp_path):
    opened, _ = store(tmp_path, 3)
    assert set(opened.read(np.array([0, 2]), ["b"])) == {"b"}


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_scaling_is_the_mean_and_deviation_of_all_samples(tmp_path_factory, sizes):
    opened, written = store(tmp_path_factory.mktemp("store"), *sizes, pattern=MIXED)
    index = np.arange(sum(sizes))[::2]
    for modality in MODALITIES:
        samples = written[modality][index].astype(float)
        samples = samples[~np.isnan(samples)]
        if not samples.size:
            continue
        offset, scale = opened.scaling(index, modality)
        assert offset == pytest.approx(samples.mean(), rel=1e-5)
        assert scale == pytest.approx(samples.std(), rel=1e-5)


def test_scaling_of_a_modality_that_no_window_has_is_refused(tmp_path):
    opened, _ = store(tmp_path, 4, pattern=((1, 0),))
    with pytest.raises(DataError, match="no window has modality 'b'"):
        opened.scaling(np.arange(4), "b")


def test_shards_of_different_settings_are_refused(tmp_path):
    shard(tmp_path / "x", [(1, 1)])
    shard(tmp_path / "y", [(1, 1)], digest="other")
    with pytest.raises(DataError, match="different settings"):
        WindowStore([tmp_path / "x", tmp_path / "y"], MODALITIES)


@pytest.mark.parametrize("left", [0, 10, 128, 128 + SAMPLES * 4 * 2])
def test_a_file_that_was_cut_is_refused(tmp_path, left):
    shard(tmp_path / "x", [(1, 1)] * 3)
    path = tmp_path / "x" / "b.npy"
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(DataError, match=rf"b\.npy.*wrong size.*{left} found"):
        WindowStore([tmp_path / "x"], MODALITIES)


def test_a_shard_without_its_manifest_is_refused(tmp_path):
    shard(tmp_path / "x", [(1, 1)])
    (tmp_path / "x" / "manifest.json").unlink()
    with pytest.raises(DataError, match=r"manifest\.json.*missing"):
        WindowStore([tmp_path / "x"], MODALITIES)


def test_windows_are_grouped_by_the_modalities_they_have(tmp_path):
    opened, _ = store(tmp_path, 12, pattern=MIXED)
    groups = dict(patterns(opened, np.arange(12)))
    assert list(groups) == [("a", "b"), ("a",), ("b",)]  # fullest first; without any: in none
    assert groups["a", "b"].tolist() == [0, 2, 5, 6, 8, 11]
    assert groups["a",].tolist() == [1, 7]
    assert groups["b",].tolist() == [3, 9]


GROUPS = st.lists(st.integers(1, 40), min_size=1, max_size=3).map(
    lambda sizes: [
        ((f"m{i}",), np.arange(sum(sizes[:i]), sum(sizes[: i + 1]))) for i in range(len(sizes))
    ]
)


@given(groups=GROUPS, size=st.integers(2, 16), seed=st.integers(0, 99), epoch=st.integers(0, 99))
def test_an_epoch_visits_each_window_once_but_for_the_last_incomplete_batch(
    groups, size, seed, epoch
):
    batches = training_batches(groups, size, seed, epoch)
    for modalities, index in groups:
        visited = [i for m, piece in batches if m == modalities for i in piece]
        assert len(set(visited)) == len(visited)
        assert set(visited) <= set(index)
        whole = len(index) // size * size
        alone = len(index) if len(index) >= 2 else 0
        assert len(visited) == (whole or alone)


@given(groups=GROUPS, size=st.integers(2, 16), seed=st.integers(0, 99))
def test_a_batch_is_of_one_pattern_and_never_of_one_window(groups, size, seed):
    members = {modalities: set(index) for modalities, index in groups}
    for modalities, piece in training_batches(groups, size, seed, 0):
        assert set(piece) <= members[modalities]
        assert 2 <= len(piece) <= size


@given(groups=GROUPS, size=st.integers(2, 16), seed=st.integers(0, 99), epoch=st.integers(0, 99))
def test_the_same_seed_and_epoch_give_the_same_order(groups, size, seed, epoch):
    first, second = (training_batches(groups, size, seed, epoch) for _ in range(2))
    assert len(first) == len(second)
    for (m, x), (n, y) in zip(first, second, strict=True):
        assert m == n
        assert x.tolist() == y.tolist()


NESTED = st.tuples(st.integers(0, 40), st.integers(0, 9), st.integers(0, 9)).filter(any)


@given(sizes=NESTED, size=st.integers(2, 16), seed=st.integers(0, 99))
def test_a_rare_pattern_fills_its_batch_with_windows_that_carry_more(sizes, size, seed):
    edges = np.cumsum([0, *sizes])
    names = [("a", "b"), ("a",), ("b",)]
    groups = [(m, np.arange(i, j)) for m, i, j in zip(names, edges, edges[1:], strict=False)]
    groups = [(m, index) for m, index in groups if len(index)]
    members = {m: set(index) for m, index in groups}
    batches = training_batches(groups, size, seed, 0)
    for modalities, piece in batches:
        assert len(set(piece)) == len(piece)
        borrowed = set(piece) - members[modalities]
        assert borrowed <= members.get(("a", "b"), set())  # it has what the pattern asks for
        if borrowed:
            assert members[modalities] <= set(piece)  # every rare window is there, once
            assert len(piece) == min(size, len(members[modalities]) + sizes[0])
            assert len(members[modalities]) < size


def test_every_epoch_and_every_seed_has_an_order_of_its_own():
    groups = [(("a",), np.arange(64))]
    orders = {
        tuple(np.concatenate([piece for _, piece in training_batches(groups, 8, seed, epoch)]))
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(orders) == 9


def test_the_windows_that_miss_an_epoch_change_from_epoch_to_epoch():
    groups = [(("a",), np.arange(30))]
    seen = {
        i
        for epoch in range(20)
        for _, piece in training_batches(groups, 8, 0, epoch)
        for i in piece
    }
    assert seen == set(range(30))


def test_patterns_are_mixed_within_an_epoch():
    groups = [(("a",), np.arange(64)), (("b",), np.arange(64, 128))]
    order = [m for m, _ in training_batches(groups, 4, 0, 0)]
    assert order not in (sorted(order), sorted(order, reverse=True))


@given(groups=GROUPS, size=st.integers(1, 16))
def test_ordered_batches_hold_every_window_once_and_in_order(groups, size):
    batches = ordered_batches(groups, size)
    for modalities, index in groups:
        visited = [i for m, piece in batches if m == modalities for i in piece]
        assert visited == index.tolist()
    assert all(1 <= len(piece) <= size for _, piece in batches)


def running():
    return {t for t in threading.enumerate() if t is not threading.main_thread()}


def test_prefetch_yields_the_batches_in_order(tmp_path):
    opened, written = store(tmp_path, 7, 6)
    batches = ordered_batches(patterns(opened, np.arange(13)), 4)
    got = list(prefetch(opened, batches))
    assert [batch[1].tolist() for batch, _ in got] == [piece.tolist() for _, piece in batches]
    for (_, index), signals in got:
        np.testing.assert_array_equal(signals["a"], written["a"][index])


def test_prefetch_reads_no_more_than_it_was_asked_to_keep_ready():
    class Counting:
        reads = 0

        def read(self, index, modalities):
            self.reads += 1
            return {}

    counting = Counting()
    batches = [(("a",), np.arange(2))] * 50
    reading = prefetch(counting, batches, ready=2)
    next(reading)
    time.sleep(0.3)
    assert counting.reads <= 4  # one taken, two ready, one waiting to be put
    reading.close()


def test_prefetch_ends_its_thread_when_the_consumer_stops(tmp_path):
    opened, _ = store(tmp_path, 40)
    before = running()
    reading = prefetch(opened, ordered_batches([(("a",), np.arange(40))], 2))
    next(reading)
    assert running() - before
    reading.close()
    assert not running() - before


def test_prefetch_ends_its_thread_when_the_consumer_fails(tmp_path):
    opened, _ = store(tmp_path, 40)
    before = running()

    def consume():
        for _ in prefetch(opened, ordered_batches([(("a",), np.arange(40))], 2)):
            raise RuntimeError("a step failed")

    with pytest.raises(RuntimeError, match="a step failed"):
        consume()
    assert not running() - before


def test_prefetch_passes_an_error_on_at_the_batch_where_it_happened(tmp_path):
    class Broken(WindowStore):
        def read(self, index, modalities):
            if 5 in index:
                raise DataError("cannot read", where="shard0")
            return super().read(index, modalities)

    store(tmp_path, 10)
    opened, before = Broken([tmp_path / "shard0"], MODALITIES), running()
    reading = prefetch(opened, ordered_batches([(("a",), np.arange(10))], 2))
    assert [next(reading)[0][1].tolist() for _ in range(2)] == [[0, 1], [2, 3]]
    with pytest.raises(DataError, match="cannot read"):
        next(reading)
    assert not running() - before
