"""The hash of code: an edit changes the hashes of the steps that can reach it, and no others."""

import importlib.util
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from physiome.data.sources.kinds import SOURCES
from physiome.errors import ConfigError
from physiome.registry import ENCODERS, METHODS

ROOT = Path(__file__).resolve().parents[1]
STEPS = (
    "records",
    "fetch",
    "shard",
    "folds",
    "pretrain",
    "train",
    "embed",
    "probe",
    "scores",
    "table",
    "figures",
    "curves",
)
ENCODER, PHYSIOME = ENCODERS["dp_neuronet"].module, METHODS["physiome"].module
SLEEP = SOURCES["sleep_edf"].partition(":")[0]
WITH = {
    "pretrain": [ENCODER],
    "train": [PHYSIOME, ENCODER],
    "embed": [PHYSIOME, ENCODER],
    "records": [SLEEP],
    "fetch": [SLEEP],
}
JOBS = {step: [f"physiome.steps.{step}", *WITH.get(step, [])] for step in STEPS}


def hashes(root, jobs=JOBS):
    """job -> hash, by a fresh copy of the module that lies below `root`."""
    path = root / "physiome" / "provenance.py"
    spec = importlib.util.spec_from_file_location("provenance_of_copy", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {job: module.code(*modules) for job, modules in jobs.items()}


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A copy of the package and its hashes. An edit is undone by the fixture `edited`."""
    root = tmp_path_factory.mktemp("package")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "physiome", root / "physiome", ignore=ignored)
    return root, hashes(root)


@contextmanager
def editing(root, before):
    """`edit(file, change)` -> steps whose hash changes with the file's text; undone at the end."""
    undo = {}

    def edit(file, change):
        path = root / "physiome" / file
        undo[path] = path.read_text(encoding="utf-8")
        path.write_text(change(undo[path]), encoding="utf-8")
        assert path.read_text(encoding="utf-8") != undo[path]
        after = hashes(root)
        return {step for step in STEPS if before[step] != after[step]}

    try:
        yield edit
    finally:
        for path, text in undo.items():
            path.write_text(text, encoding="utf-8")


@pytest.fixture
def edited(package):
    """See `editing`."""
    with editing(*package) as edit:
        yield edit


def with_line(text):
    return text + "\nANOTHER = 1\n"


# file -> steps behind it. Lazy imports, sources and methods named by text included.
REACHED = {
    "nn/neuronet_frames.py": "pretrain train embed",
    "nn/losses.py": "pretrain train embed",
    "methods/physiome.py": "train embed",
    "methods/controls.py": "",  # another method's file
    "training/loop.py": "pretrain train",
    "training/checkpoint.py": "pretrain train embed",
    "data/store/batches.py": "pretrain train embed",
    "data/folds/make.py": "folds",
    "data/folds/roles.py": "folds pretrain train embed",
    "data/store/shards.py": "shard folds pretrain train embed",
    "data/formats/edf_header.py": "shard",
    "data/cutting/signals.py": "shard",
    "data/sources/sleep_edf.py": "records fetch",
    "data/synthetic/nights.py": "records fetch",
    "data/download/transfer.py": "records fetch",
    "data/sources/vitaldb_cases.py": "",  # another source's file
    "evaluation/embed.py": "embed",
    "evaluation/heads.py": "probe",
    "evaluation/paper_head.py": "probe",
    "evaluation/ridge.py": "probe",
    "evaluation/gains.py": "",  # of learn, which no rule calls
    "evaluation/metrics.py": "scores figures",
    "reporting/scores.py": "scores table figures",
    "reporting/tables.py": "table figures",  # bars are drawn from the table's means
    "reporting/latex.py": "table",
    "reporting/style.py": "figures curves",
    "reporting/timeline.py": "figures",
    "reporting/curves.py": "curves",
    "steps/table.py": "table",
    "steps/curves.py": "curves",
    "config/evaluation.py": "probe",
    "config/tree.py": "",  # its effect is in the settings
    "cli/__init__.py": "",
    "cli/workflow.py": "",
    "cli/reports.py": "",
    "registry.py": "",
    "errors.py": "",
    "provenance.py": "",
}


@pytest.mark.slow
def test_an_edit_changes_the_hash_of_the_steps_that_reach_it(package, subtests):
    for file, steps in REACHED.items():
        with subtests.test(file=file), editing(*package) as edit:
            assert edit(file, with_line) == set(steps.split())


def test_a_comment_a_docstring_and_layout_change_nothing(edited):
    def comment(text):
        return text.replace("import torch\n", "import torch  # the library\n\n\n")

    def docstring(text):
        head, _, rest = text.partition('"""')
        return head + '"""Other words, about the ' + rest

    assert edited("nn/neuronet_frames.py", comment) == set()
    assert edited("nn/losses.py", docstring) == set()


def test_a_docstring_that_was_not_there_changes_nothing(package, edited):
    root, _ = package
    (root / "physiome" / "extra.py").write_text("def f():\n    return 1\n", encoding="utf-8")
    plain = hashes(root, {"x": ["physiome.extra"]})
    documented = 'def f():\n    """One."""\n    # one\n    return 1\n'
    (root / "physiome" / "extra.py").write_text(documented, encoding="utf-8")
    assert hashes(root, {"x": ["physiome.extra"]}) == plain
    other = documented.replace("return 1", "return 2")
    (root / "physiome" / "extra.py").write_text(other, encoding="utf-8")
    assert hashes(root, {"x": ["physiome.extra"]}) != plain


def test_a_new_line_in_the_registry_changes_nothing(edited):
    line = '    "new": Entry("physiome.methods.new", "New", "New", "single"),\n'
    marker = "METHODS: dict[str, Entry] = {\n"
    assert edited("registry.py", lambda text: text.replace(marker, marker + line)) == set()


def test_a_change_of_a_number_deep_in_a_function_counts(edited):
    changed = edited("nn/losses.py", lambda text: text.replace("temperature", "temperature_", 1))
    assert changed == {"pretrain", "train", "embed"}


def test_a_table_of_the_package_counts_as_code(edited):
    assert edited("reporting/paper_tables.csv", lambda text: text + "\n") == {"table", "figures"}
    assert edited("data/sources/sleep_edf_records.csv", lambda text: text + "\n") == {
        "table",
        "figures",
        "records",
        "fetch",
    }


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("lazy", "def f():\n    from physiome.reporting import latex\n    return latex"),
        ("relative", "from .reporting.latex import to_latex"),
        ("methods.mine", "from ..reporting import latex"),
        ("reporting.mine", "from . import latex"),
    ],
)
def test_an_import_is_found_lazy_or_relative(package, module, line):
    root, _ = package
    file = root.joinpath("physiome", *module.split(".")).with_suffix(".py")
    file.write_text(f"{line}\n", encoding="utf-8")
    jobs = {"x": [f"physiome.{module}"]}
    before = hashes(root, jobs)
    path = root / "physiome" / "reporting" / "latex.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(with_line(text), encoding="utf-8")
    assert hashes(root, jobs) != before
    path.write_text(text, encoding="utf-8")
    assert hashes(root, jobs) == before


def test_methods_have_hashes_of_their_own(package):
    root, _ = package
    jobs = {name: ["physiome.steps.embed", entry.module] for name, entry in METHODS.items()}
    found = hashes(root, jobs)
    assert found["physiome"] != found["handmade"]


def test_an_unknown_module_is_an_error(package):
    with pytest.raises(ConfigError, match="no_such_module"):
        hashes(package[0], {"x": ["physiome.no_such_module"]})


def test_a_file_that_is_no_python_is_named_with_its_line(edited):
    with pytest.raises(ConfigError, match=r"nn/losses\.py, line 2: this is not Python - "):
        edited("nn/losses.py", lambda _: "import torch\ndef broken(:\n")
