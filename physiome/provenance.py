"""A hash of the code a job reaches, so that an edit reruns what it can change and nothing else."""

import ast
import atexit
import contextlib
import hashlib
import json
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

from physiome.errors import ConfigError

ROOT = Path(__file__).parent
PACKAGE = ROOT.name
# It only names modules as text; the module a job's method lives in is hashed by name instead.
LEFT_OUT = {"physiome.registry", "physiome.errors", "physiome.provenance"}


@cache
def code(*modules: str) -> str:
    """Hash over the given modules and all modules of this package that they import, also lazily.

    Comments, docstrings and layout do not count; tables (.csv) that lie beside a module do.

    Raises:
        ConfigError: there is no such module, or one is not Python.
    """
    text = "\n".join(f"{name} {_facts(name)[1]}" for name in sorted(reached(*modules)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def reached(*modules: str) -> set[str]:
    """The given modules and all of this package that they import: what `code` is a hash of.

    Raises:
        ConfigError: there is no such module, or one is not Python.
    """
    seen: set[str] = set()
    todo = list(modules)
    while todo:
        name = todo.pop()
        if name in seen or name in LEFT_OUT:
            continue
        seen.add(name)
        todo += _facts(name)[0]
    return seen


@cache
def source_of(name: str) -> Path | None:
    """The file of a module of this package; None if there is no such module."""
    path = ROOT.joinpath(*name.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def _facts(name: str) -> tuple[list[str], str]:
    """The package's modules that `name` imports, anywhere, and the hash of its code and tables."""
    path = source_of(name)
    if path is None:
        raise ConfigError("there is no such module", where=name, do="correct physiome/registry.py")
    parsed = _parsed(path)
    imports = [m for m in parsed["imports"] if m.startswith(f"{PACKAGE}.") and source_of(m)]
    tables = (path.parent / table for table in parsed["tables"])
    found = [hashlib.sha256(t.read_bytes()).hexdigest() for t in tables if t.is_file()]
    return imports, hashlib.sha256("".join([parsed["code"], *found]).encode()).hexdigest()


def _parsed(path: Path) -> dict[str, Any]:
    """What a file says, from the note of an earlier look if it is still the same file."""
    state = _state(path)
    noted = _notes().get(str(path), {})
    if noted.get("state") != state:
        package = ".".join([PACKAGE, *path.parent.relative_to(ROOT).parts])
        try:
            found = _parse(path.read_bytes(), package)
        except SyntaxError as error:  # in ours it tells of no file
            where = f"{path}, line {error.lineno}"
            raise ConfigError(
                "this is not Python", where=where, why=error.msg, do="correct it"
            ) from None
        noted = _notes()[str(path)] = {"state": state, **found}
    return noted


def _parse(source: bytes, package: str) -> dict[str, Any]:
    """The names a source of a package imports, those of tables in it, and a hash of its code."""
    tree = ast.parse(source)
    imports: list[str] = []
    tables: list[str] = []
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            del body[0]
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and node.value.endswith(".csv"):
                tables.append(node.value)
        elif isinstance(node, ast.Import):
            imports += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[:1] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            imports += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    # Written out again: without comments and layout, and nearly the same in all versions of Python.
    code = hashlib.sha256(ast.unparse(tree).encode()).hexdigest()
    return {"imports": imports, "tables": tables, "code": code}


@cache
def _notes() -> dict[str, Any]:
    """What earlier processes found in each file; written back at the end if there is more.

    Parsing all files takes a second, which every look at the plan would pay for.
    """
    path = ROOT / "__pycache__" / f"provenance.{sys.implementation.cache_tag}.json"
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
        known = notes["looked_with"] == _state(Path(__file__))
    except (OSError, ValueError, TypeError, KeyError):
        known = False
    if not known:
        notes = {"looked_with": _state(Path(__file__))}
    atexit.register(_write_notes, path, json.dumps(notes) if known else "")
    return notes


def _state(path: Path) -> list[int]:
    told = path.stat()
    return [told.st_mtime_ns, told.st_size]


def _write_notes(path: Path, before: str) -> None:
    text = json.dumps(_notes())
    if text == before:
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):  # a package that cannot be written to is parsed each time
        path.parent.mkdir(exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
