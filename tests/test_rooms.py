"""Rooms of the house: which way imports point between them, how full they are, what they use."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

from test_house import PACKAGE, ROOT, imports, module_name, sources

# room of physiome/data -> the rooms it may import, besides itself; two of them are files
ROOMS = {
    "recording": set(),
    "report": set(),
    "formats": {"recording"},
    "download": set(),
    "synthetic": {"recording", "formats"},
    "sources": {"recording", "formats", "download", "synthetic"},
    "cutting": {"recording", "report", "formats"},
    "store": set(),
    "folds": {"store"},
}
FULL = 13  # files of a folder
# One file a step, a system, a layer of networks: long rows of the same kind of thing
LONG_ROWS = {"steps", "methods", "nn", "config", "config/systems", "reporting", "evaluation"}


def room(name):
    """`physiome.data.cutting.cut` -> `cutting`; None outside physiome.data."""
    parts = name.split(".")
    return parts[2] if parts[:2] == ["physiome", "data"] and len(parts) > 2 else None


def wrong_doors(root):
    """`importer -> imported` for every import between rooms against the rules."""
    found = []
    for path in sources(root / "data"):
        importer = module_name(path, root)
        own = room(importer)
        for name, _ in imports(ast.parse(path.read_text(encoding="utf-8"))):
            other = room(name)
            if own and other and other not in ROOMS[own] | {own}:
                found.append(f"{importer} -> {name}")
    return found


def circle(root):
    """Modules that import one another in a ring, lazily or not; [] if there is none."""
    known = {module_name(path, root): path for path in sources(root)}
    edges = {
        name: {
            part
            for found, _ in imports(ast.parse(path.read_text(encoding="utf-8")))
            for part in (found, found.rpartition(".")[0])
            if part in known and part != name
        }
        for name, path in known.items()
    }
    done: set[str] = set()

    def visit(name, trail):
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name in done:
            return []
        for other in sorted(edges[name]):
            if ring := visit(other, [*trail, name]):
                return ring
        done.add(name)
        return []

    return next((ring for name in sorted(known) if (ring := visit(name, []))), [])


def test_imports_point_one_way_between_rooms_and_in_no_circle():
    assert wrong_doors(PACKAGE) == []
    assert circle(PACKAGE) == []


def test_a_planted_door_and_a_planted_circle_are_found(tmp_path):
    root = tmp_path / "physiome"
    for file, line in {
        "data/store/windows.py": "from physiome.data.cutting import cut",
        "data/cutting/cut.py": "def f():\n    import physiome.nn.a",
        "nn/a.py": "from physiome.nn import b",
        "nn/b.py": "from physiome.data.store.windows import x",
    }.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(line + "\n")
    (door,) = wrong_doors(root)
    assert door == "physiome.data.store.windows -> physiome.data.cutting.cut"
    assert len(circle(root)) == 5


def test_rooms_are_not_too_full():
    counts: dict[str, int] = {}
    for path in sources(PACKAGE):
        folder = path.parent.relative_to(PACKAGE).as_posix()
        counts[folder] = counts.get(folder, 0) + (path.name != "__init__.py")
    assert {f: n for f, n in counts.items() if n > FULL and f not in LONG_ROWS} == {}


def declared(text):
    """Names of the distributions that a pyproject.toml declares for running and for tests."""
    project = tomllib.loads(text)["project"]
    told = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    return {re.split(r"[^\w.-]", name)[0].lower().replace("_", "-") for name in told}


def imported(roots):
    """Distributions whose modules are imported below some folders."""
    of_module = packages_distributions()
    tops = {
        name.split(".")[0]
        for root in roots
        for path in sources(root)
        for name, relative in imports(ast.parse(path.read_text(encoding="utf-8")))
        if not relative
    }
    return {
        of_module[top][0].lower().replace("_", "-")
        for top in tops - {*sys.stdlib_module_names}
        if top in of_module
    } - {"physiome"}


# Used without an import of ours: commands, plugins, what wfdb reads FLAC with
COMMANDS = {"snakemake", "snakefmt", "ruff", "pyright", "pytest-xdist", "soundfile"}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    told = declared((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    used = imported([PACKAGE, ROOT / "tests", ROOT / "envs"])
    assert used - told == set()
    assert told - used - COMMANDS == set()


def test_an_undeclared_dependency_is_found(tmp_path):
    (tmp_path / "a.py").write_text("import numpy.linalg, torch\nfrom json import loads\n")
    assert imported([tmp_path]) == {"numpy", "torch"}
    text = '[project]\ndependencies = ["NumPy>=2", "torch==2.13.0"]\n'
    text += '[project.optional-dependencies]\ntest = ["pytest"]\n'
    assert declared(text) == {"numpy", "torch", "pytest"}


def test_every_room_is_there():
    data = PACKAGE / "data"
    assert {n for n in ROOMS if not ((data / n).is_dir() or (data / f"{n}.py").is_file())} == set()
