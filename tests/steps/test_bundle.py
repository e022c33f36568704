"""A bundle is used only if every file of it is what was exported, wherever it comes from."""

import json
import shutil
import zipfile

import numpy as np
import pytest
from tiny_run import METHOD
from trained_nights import CLASSES

from physiome.errors import PhysioError
from physiome.files import read_json
from physiome.predict import asked
from physiome.predict.api import load
from physiome.predict.bundle import export
from physiome.predict.bundle.opened import open_bundle

pytestmark = pytest.mark.slow  # it takes a run of two folds

HEADS = f"fold1/{METHOD}.heads.npz"


@pytest.fixture(scope="module")
def whole(tiny_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    export.run(tiny_run, folder / "b", method=METHOD)
    export.run(tiny_run, folder / "b.zip", method=METHOD)
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    """A bundle's folder that may be spoilt."""
    return shutil.copytree(whole / "b", tmp_path / "copy")


def refused(where):
    with pytest.raises(PhysioError) as error, open_bundle(where):
        pass
    assert "\n" not in str(error.value)
    assert str(where) in str(error.value)
    return str(error.value)


def test_one_changed_byte_of_any_file_is_refused(copy):
    for name in ("README.md", HEADS, f"fold1/{METHOD}.safetensors"):
        path = copy / name
        before = path.read_bytes()
        path.write_bytes(before[:-9] + bytes([before[-9] ^ 1]) + before[-8:])
        assert f"{name} was changed after the export - sha256" in refused(copy)
        path.write_bytes(before)
    text = (copy / "bundle.json").read_text()
    (copy / "bundle.json").write_text(text.replace('"unit": "uV"', '"unit": "mV"'))
    assert "bundle.json was altered after it was written - sum" in refused(copy)
    (copy / "bundle.json").write_text(text)
    with open_bundle(copy) as bundle:
        assert len(bundle.pairs()) == 1


def test_a_missing_and_an_extra_file_are_refused(copy):
    (copy / "fold1" / "more.pkl").write_bytes(b"x")
    assert "files that do not belong to it: fold1/more.pkl" in refused(copy)
    (copy / "fold1" / "more.pkl").unlink()
    (copy / HEADS).unlink()
    assert f"files are missing: {HEADS} - fetch the bundle again" in refused(copy)
    assert "there is no such bundle" in refused(copy / "none")
    assert "no bundle.json in it" in refused(copy / "fold1")


@pytest.mark.parametrize("text", ["[1]", "{", "3"])
def test_contents_that_cannot_be_read_are_told_of_as_a_bundles(tmp_path, text):
    folder = tmp_path / "b"
    folder.mkdir()
    (folder / "bundle.json").write_text(text)
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.write(folder / "bundle.json", "bundle.json")
    for where in (folder, tmp_path / "b.zip"):
        assert refused(where).startswith(f"{where}: not the bundle.json of a bundle - ")
        assert refused(where).endswith("fetch the bundle again, or export it again")


def test_what_a_hub_or_git_puts_beside_is_passed_over(copy):
    (copy / ".gitattributes").write_text("*.safetensors filter=lfs")
    (copy / ".git").mkdir()
    (copy / ".git" / "config").write_text("")
    with open_bundle(copy) as bundle:
        assert bundle.contents.method == METHOD


@pytest.mark.parametrize(
    "name",
    ["../escaped.md", "/escaped.md", "fold1/../../escaped.npz", "fold1/a.pkl", "x/README.md"],
)
def test_a_zip_that_leads_out_or_holds_something_else_writes_nothing(whole, tmp_path, name):
    path = tmp_path / "in" / "b.zip"
    path.parent.mkdir()
    shutil.copy(whole / "b.zip", path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, "x")
    assert f"names that no bundle has: {name}" in refused(path)
    assert not list(tmp_path.rglob("escaped*"))


def test_a_zip_that_is_cut_or_claims_another_size_is_refused(whole, tmp_path):
    path = tmp_path / "b.zip"
    data = (whole / "b.zip").read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert "not a zip of a bundle" in refused(path)
    with zipfile.ZipFile(whole / "b.zip") as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name) + (b"x" if name == HEADS else b""))
    assert f"{HEADS} was changed after the export" in refused(path)
    with zipfile.ZipFile(path, "w") as new:
        new.writestr("README.md", "x")
    assert "no bundle.json in it" in refused(path)


def test_a_zip_that_has_a_file_twice_is_refused(whole, tmp_path):
    path = tmp_path / "b.zip"
    shutil.copy(whole / "b.zip", path)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(HEADS, "x")
    assert f"{HEADS} is in it twice" in refused(path)


def test_a_forged_list_of_files_cannot_name_others(copy):
    """Its sum is right, and it names a file outside."""
    (copy.parent / "secret.md").write_text("x")
    plain = read_json(copy / "bundle.json")
    plain["files"]["../secret.md"] = {"sha256": "0" * 64, "bytes": 1}
    sealed = export.Contents.parse(plain).sealed()
    (copy / "bundle.json").write_text(json.dumps(sealed.plain()))
    assert "names that no bundle has: ../secret.md" in refused(copy)


def test_a_forged_fold_without_a_number_is_refused(copy):
    plain = read_json(copy / "bundle.json")
    plain["folds"] = {"one": plain["folds"]["1"]}
    del plain["sum"]
    (copy / "bundle.json").write_text(json.dumps(plain))
    assert "not the bundle.json of a bundle" in refused(copy)


def test_a_bundle_of_a_later_format_says_so(copy):
    plain = read_json(copy / "bundle.json") | {"format": 9}
    (copy / "bundle.json").write_text(json.dumps(plain))
    assert "format 9, not 1 - install a version of physiome as new" in refused(copy)


@pytest.fixture
def hub(whole, monkeypatch):
    """Stands in for the hub: notes what is asked for, and has one repository."""
    asked_for = []

    def snapshot_download(repo_id, *, revision=None, allow_patterns=None):
        asked_for.append((repo_id, revision))
        if repo_id != "lab/nights":
            raise OSError(f"404 Client Error.\nRepository Not Found for {repo_id}")
        assert "*.pkl" not in allow_patterns
        return str(whole / "b")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    return asked_for


def test_a_bundle_comes_from_a_hub_by_its_address(hub, nights, tmp_path):
    model = asked.ModelFiles(bundle="hf://lab/nights@v1.0")
    asked.run([nights.recording], model, tmp_path / "o.csv", None, [], None, "cpu")
    assert hub == [("lab/nights", "v1.0")]
    facts = read_json(tmp_path / "o.json")
    assert facts["bundle"]["path"] == "hf://lab/nights@v1.0"
    assert load("hf://lab/nights").classes == tuple(CLASSES)
    assert hub[1:] == [("lab/nights", None)]
    assert "cannot be fetched from the hub - 404 Client Error. Repo" in refused("hf://lab/other")
    assert "not a hub's address - give hf://owner/name" in refused("hf://lab")


def test_python_loads_a_bundle_as_the_run(tiny_run, whole, nights):
    run = load(tiny_run, method=METHOD)
    signals = run.read(nights.recording)
    for where in (whole / "b", str(whole / "b.zip")):
        model = load(where)
        assert np.array_equal(model.predict_proba(signals), run.predict_proba(signals))
        assert np.array_equal(model.embed(signals), run.embed(signals))
    with pytest.raises(PhysioError, match="no method 'physiome' - it has random"):
        load(whole / "b", method="physiome")


def test_a_prediction_says_which_bundle_it_is_from(whole, nights, tmp_path):
    model = asked.ModelFiles(bundle=str(whole / "b.zip"))
    asked.run([nights.recording], model, tmp_path / "o.csv", None, [], None, "cpu")
    facts = read_json(tmp_path / "o.json")
    stated = read_json(whole / "b" / "bundle.json")["files"]
    assert facts["heads"] == {"path": HEADS, "sha256": stated[HEADS]["sha256"]}
    assert facts["folds"] == [1]
    with pytest.raises(PhysioError, match="which model"):
        asked.run(
            [nights.recording],
            asked.ModelFiles(run=whole, bundle="b"),
            tmp_path / "p.csv",
            None,
            [],
            None,
            "cpu",
        )
