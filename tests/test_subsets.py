"""Which subsets of modalities are scored: all of a few modalities, some of many."""

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from physiome.config.subsets import SomeSubsets, scored_subsets
from physiome.errors import PhysioError
from physiome.subsets import (
    all_subsets,
    in_order,
    named_subsets,
    parse_subset,
    some_subsets,
    subset_name,
)

NINE = tuple("abcdefghi")


@given(m=st.integers(1, 12), per_size=st.integers(0, 4), seed=st.integers(0, 5))
def test_some_subsets_are_the_full_each_alone_each_missing_and_a_few_of_every_other_size(
    m, per_size, seed
):
    names = tuple(f"m{i}" for i in range(m))
    found = some_subsets(names, per_size, seed)
    assert len(set(found)) == len(found)
    assert found == in_order(found, names)
    assert found[0] == names
    for size in range(1, m + 1):
        wanted = m if size in (1, m - 1) else min(per_size, comb(m, size))
        assert sum(len(s) == size for s in found) == (1 if size == m else wanted)
    assert found == some_subsets(names, per_size, seed)


def test_another_seed_draws_others():
    assert len({tuple(some_subsets(NINE, 3, seed)) for seed in range(5)}) == 5


@given(st.integers(1, 6))
def test_in_order_is_the_order_of_all_subsets(m):
    names = tuple(f"m{i}" for i in range(m))
    assert in_order(reversed(all_subsets(names)), names) == all_subsets(names)
    assert named_subsets(None, names) == all_subsets(names)


def test_twenty_modalities_cost_no_more_than_what_is_asked_for():
    names = tuple(f"m{i}" for i in range(20))
    assert len(some_subsets(names, 3, 0)) == 1 + 20 + 20 + 3 * 17
    assert len(scored_subsets(None, names)) == 92


def test_up_to_four_modalities_all_are_scored_and_beyond_some():
    assert scored_subsets(None, NINE[:4]) is None
    assert scored_subsets(None, NINE[:5]) == tuple(map(subset_name, some_subsets(NINE[:5], 3, 0)))
    assert scored_subsets("all", NINE) is None
    assert scored_subsets(SomeSubsets(per_size=0), NINE[:3]) is None  # those are all of three


def test_names_may_come_in_any_order_and_spelling():
    assert scored_subsets(("b", "c+a+b"), ("a", "b", "c")) == ("a+b+c", "b")


@pytest.mark.parametrize(
    ("choice", "why"),
    [
        (("a",), "the full set 'a\\+b\\+c' is not named"),
        (("a+b+c", "x"), "unknown modality 'x'"),
        (("a+b+c", "b+a", "a+b"), "named twice"),
    ],
)
def test_names_that_cannot_be_are_refused(choice, why):
    with pytest.raises(ValueError, match=why):
        scored_subsets(choice, ("a", "b", "c"))


def test_all_of_eleven_modalities_is_refused_with_what_to_write_instead():
    with pytest.raises(ValueError, match=r"are 2047 - give \{per_size: 3\}"):
        scored_subsets("all", tuple("abcdefghijk"))


def test_a_name_of_no_subset_is_refused():
    with pytest.raises(PhysioError, match="empty subset"):
        named_subsets([" "], NINE)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("eeg", r"did you mean 'eeg_fpz_cz' or 'eeg_pz_oz'\? \(known: "),
        ("pz_oz", r"did you mean 'eeg_pz_oz'\?"),
        ("eox", r"did you mean 'eog'\?"),
    ],
)
def test_of_an_unknown_modality_those_that_begin_so_or_contain_it_are_named(asked, said):
    with pytest.raises(PhysioError, match=said):
        parse_subset(asked, ("eeg_fpz_cz", "eeg_pz_oz", "eog"))
