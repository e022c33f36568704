"""The table of faults in tests/README.md, from what stands with the tests.

A fault with a file in this folder is told by the file's docstring: `Fault 1: EDF file cut.`, and in
the next paragraph what happens; its tests are the functions of that file. Other faults stand in
elsewhere.py. `python -m tests.faults.table --write` writes the table, without `--write` shows it.
"""

import argparse
import ast
import re
from pathlib import Path

from tests.faults.elsewhere import ELSEWHERE, Fault

HERE = Path(__file__).parent
PAGE = HERE.parent / "README.md"
HEAD = "| # | Fault | What happens | Test |\n|---|---|---|---|\n"
NUMBERED = re.compile(r"Fault (\d+): (.+)")


def written_in(path: Path) -> list[str]:
    """Names of a file's test functions, in their order."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [name for name in names if name.startswith("test_")]


def told_in(path: Path) -> tuple[int, Fault]:
    """Number and fault of a file of this folder."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    paragraphs = [" ".join(part.split()) for part in docstring.split("\n\n")]
    first, what_happens = [*paragraphs, ""][:2]
    told = NUMBERED.fullmatch(first)
    assert told, f"{path.name}: begin the docstring with `Fault 1: what it is.`, then what happens"
    tests = [f"{path.name}::{name}" for name in written_in(path)]
    return int(told[1]), Fault(told[2].removesuffix("."), what_happens.removesuffix("."), tests)


def faults(folder: Path = HERE) -> dict[int, Fault]:
    """Number -> fault, of the files of a folder and of elsewhere.py."""
    told = [told_in(path) for path in sorted(folder.glob("test_[0-9]*.py"))]
    told += ELSEWHERE.items()
    numbers = sorted(number for number, _ in told)
    assert numbers == list(range(1, len(told) + 1)), f"a number is there twice or lacks: {numbers}"
    return dict(sorted(told))


def table(rows: dict[int, Fault]) -> str:
    """The table in markdown."""
    lines = [
        f"| {number} | {row.fault} | {row.what_happens} | "
        + "<br>".join(f"`{test}`" for test in row.tests)
        + " |\n"
        for number, row in rows.items()
    ]
    return HEAD + "".join(lines)


def updated(page: str, rows: dict[int, Fault]) -> str:
    """A page with its table of faults written anew."""
    before, head, rest = page.partition(HEAD)
    assert head, "there is no table of faults"
    return before + table(rows) + re.sub(r"\A(?:\|.*\n)*", "", rest)


def main() -> None:
    parser = argparse.ArgumentParser("python -m tests.faults.table", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write it into tests/README.md")
    if parser.parse_args().write:
        PAGE.write_text(updated(PAGE.read_text(encoding="utf-8"), faults()), encoding="utf-8")
    else:
        print(table(faults()), end="")


if __name__ == "__main__":
    main()
