"""Recordings that lie there, where nothing remembers how they were listed and divided."""

import json
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from physiome.config.tree import Config
from physiome.errors import DataError
from physiome.files import read_json, write_json
from physiome.plan.layout import Layout
from physiome.plan.stale import made_otherwise, require_known
from physiome.steps import fetch, records

LIST, BATCH = "results/demo/records/sleep_edf.csv", "results/demo/raw/sleep_edf.batch0.json"


def nights(subjects=3, batches=1, **raw):
    """Changes of the demo's data set."""
    made = {"fill": "synthetic", "synthetic": {"subjects": subjects, "hours": 0.2}, **raw}
    return {"datasets": {"sleep_edf": {"source": {"raw": made}, "batches": batches}}}


@pytest.fixture
def config(plain):
    """`config(changes)`: of the demo."""
    return lambda **changes: Config.load(plain(**changes))


def get(config):
    """List the recordings and fetch every batch."""
    settings, at = config.records_settings("sleep_edf"), Layout(config.results)
    listed, batches = Path(at.records("sleep_edf")), config.datasets["sleep_edf"].batches
    records.run(settings, listed)
    for batch in range(batches):
        fetch.run(settings, listed, batch, batches, Path(at.fetched("sleep_edf", batch)))
    return config


def remember(path, *params):
    """Note a file as Snakemake does, made with these parameters."""
    name = urlsafe_b64encode(path.encode()).decode()
    write_json(Path(".snakemake/metadata", name), {"params": sorted(map(repr, params))})


def refusal(config):
    """What is said; "" if nothing is refused."""
    try:
        require_known(config)
    except DataError as error:
        return str(error)
    return ""


def test_recordings_of_the_configuration_are_known(config):
    assert refusal(get(config(**nights(batches=2)))) == ""


def test_other_recordings_are_refused_with_the_list_they_are_from(config):
    get(config(**nights(3)))
    said = refusal(config(**nights(4)))
    assert "source.raw.synthetic.subjects: 3, not 4" in said
    assert "like 1 more" in said
    assert "--forcerun fetch records " in said


@pytest.mark.parametrize(("before", "now"), [(1, 2), (3, 2)])
def test_recordings_of_other_batches_are_refused(config, before, now):
    get(config(**nights(batches=before)))
    said = refusal(config(**nights(batches=now)))
    assert f"{BATCH}: this result was made otherwise" in said
    assert f"batches: {before}, not {now}" in said
    assert "--forcerun fetch " in said


def test_what_snakemake_makes_again_by_itself_is_not_refused(config):
    mine = get(config(**nights(3)))
    settings = mine.records_settings("sleep_edf")
    remember(BATCH, settings, 1, "")
    remember(LIST, settings)
    assert refusal(config(**nights(4))) == ""
    assert refusal(config(**nights(batches=2))) == ""


def test_a_list_that_was_made_again_before_a_kill_is_not_refused(config):
    """Its batches still are the old ones, and Snakemake knows it."""
    settings = get(config(**nights(3))).records_settings("sleep_edf")
    more = config(**nights(4))
    remember(BATCH, settings, 1, "")
    remember(LIST, more.records_settings("sleep_edf"))
    assert refusal(more) == ""


def test_what_snakemake_takes_for_the_right_one_is_refused(config):
    """Other batches were copied in place of those that it made."""
    get(config(**nights(batches=2)))
    now = config(**nights(batches=1))
    remember(BATCH, now.records_settings("sleep_edf"), 1, "2")
    assert "batches: 2, not 1" in refusal(now)


def test_where_copies_lie_does_not_matter_where_recordings_do(config, tmp_path):
    get(config(**nights()))
    assert refusal(config(**nights(folder=str(tmp_path / "elsewhere")))) == ""
    (tmp_path / "results").rename(tmp_path / "moved")
    assert refusal(config(results="moved/demo", **nights())) == ""
    theirs = config(results="moved/demo", **nights(fill="folder", folder=str(tmp_path)))
    assert "source.raw.fill: 'synthetic', not 'folder'" in refusal(theirs)


def test_batches_that_do_not_say_what_they_are_of_are_not_refused(config):
    """Those of earlier versions."""
    get(config(**nights()))
    plain = read_json(BATCH)
    write_json(BATCH, {k: plain[k] for k in ("dataset", "batch", "records")})
    assert [*made_otherwise(config(**nights(4, batches=2)))] == []


@pytest.mark.parametrize("text", ["[]", "null", "3"])
def test_a_result_of_another_kind_is_left_to_the_step_that_needs_it(config, text):
    """The plan ended with a traceback."""
    get(config(**nights()))
    Path(BATCH).write_text(text)
    assert [*made_otherwise(config(**nights()))] == []


def test_settings_with_signs_that_python_escapes_are_remembered(config, tmp_path):
    """Snakemake notes parameters as Python writes them."""
    folder = tmp_path / "l'été"
    folder.mkdir()
    now = config(**nights(fill="folder", folder=str(folder)))
    get(config(**nights()))
    assert json.loads(now.records_settings("sleep_edf"))["folder"] == str(folder)
    remember(BATCH, now.records_settings("sleep_edf"), 1, "")
    remember(LIST, now.records_settings("sleep_edf"))
    assert f"{BATCH}: this result was made otherwise" in refusal(now)
