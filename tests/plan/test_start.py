"""What is refused before anything is planned, and what takes such a refusal away."""

import json

import pytest

from physiome.errors import ConfigError, DataError
from physiome.files import write_json
from physiome.plan.layout import Layout
from physiome.plan.start import begin


@pytest.fixture
def otherwise(plain):
    """The configuration of a folder that holds a shard of other settings."""
    config = begin(plain(), [], [], True)
    settings = json.loads(config.shard_settings("sleep_edf"))
    path = Layout(config.results).shard("sleep_edf", 0)
    write_json(path, {"settings": settings | {"incomplete_windows": "drop"}})
    return plain()


SPELLED = ["out/x/", "./out/x", "out//x", "out/./x", "out/y/../x"]


@pytest.mark.parametrize("results", SPELLED)
def test_a_results_folder_has_one_spelling(plain, results):
    assert begin(plain(results=results), [], [], True).results == "out/x"


@pytest.mark.parametrize(
    ("results", "kept"), [("/", "/"), ("./-x/", "./-x"), (".", "."), ("../x/", "../x")]
)
def test_a_results_folder_stays_the_one_that_was_given(plain, results, kept):
    assert begin(plain(results=results), [], [], False).results == kept


def test_a_file_that_takes_out_what_no_other_gives_is_refused(plain, tmp_path):
    files = [tmp_path / "mine.yaml", tmp_path / "config.yaml"]  # Snakemake's order
    files[0].write_text("ablations: {table3: null}\nvariants: {tne: null}\n")
    files[1].write_text("ablations: {table3: {}}\nvariants: {ten: {}}\n")
    with pytest.raises(ConfigError, match=r"mine.yaml: variants.tne: .* did you mean 'ten'"):
        begin(plain(), list(map(str, files)), [], True)


def test_a_result_of_other_settings_is_refused(otherwise):
    with pytest.raises(DataError, match=r"incomplete_windows.*add --forcerun shard "):
        begin(otherwise, [], ["-c2", "--sdm=conda", "-n"], True)


FORCED = [
    ["--forcerun", "shard"],
    ["--forcerun=shard"],
    ["-R", "shard"],
    ["-Rshard"],
    ["--forceall"],
    ["-F"],
    ["-nF"],
    ["--unlock"],
    ["--lint=json"],
]


@pytest.mark.parametrize("arguments", FORCED, ids=" ".join)
def test_it_is_not_refused_where_it_is_made_again_or_nothing_is(otherwise, arguments):
    assert begin(otherwise, [], arguments, True).used == ["sleep_edf"]


@pytest.mark.parametrize("argument", ["--forcerunx", "results/-R", "--force", "-sFile", "--rerun"])
def test_other_arguments_do_not_take_the_refusal_away(otherwise, argument):
    with pytest.raises(DataError, match="made otherwise"):
        begin(otherwise, [], [argument], True)
