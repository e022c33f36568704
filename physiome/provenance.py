"""A hash of the code a job reaches, so that an edit reruns what it can change and nothing else."""

import ast
import hashlib
from functools import cache
from pathlib import Path

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
        ConfigError: there is no such module.
    """
    seen: set[str] = set()
    todo = list(modules)
    while todo:
        name = todo.pop()
        if name in seen or name in LEFT_OUT:
            continue
        seen.add(name)
        todo += _facts(name)[0]
    text = "\n".join(f"{name} {_facts(name)[1]}" for name in sorted(seen))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: list[str] = []
    tables = ""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            del body[0]
        if isinstance(node, ast.Constant):
            tables += _table(name, node.value)
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    imports = [module for module in found if module.startswith(f"{PACKAGE}.") and source_of(module)]
    # Written out again: without comments and layout, and nearly the same in all versions of Python.
    return imports, hashlib.sha256((ast.unparse(tree) + tables).encode()).hexdigest()


def _table(module: str, value: object) -> str:
    """Hash of a table of the package that a module names, e.g. of records; "" for other values."""
    source = source_of(module)
    if source is None or not isinstance(value, str) or not value.endswith(".csv"):
        return ""
    table = source.parent / value
    return hashlib.sha256(table.read_bytes()).hexdigest() if table.is_file() else ""


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
