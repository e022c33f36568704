"""What the documentation says is there is there, and its commands are understood."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from snakemake.cli import get_argument_parser

from physiome.cli import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / folder / "README.md" for folder in ("physiome", "tests", "results")),
    ]
)
VERBS = typer.main.get_command(app).commands
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
OWN = {"mine.yaml", "pairs.yaml"}  # files of the reader's
FENCE = re.compile(r"^```(?:sh)?\n(.*?)^```$", re.S | re.M)
RUN = re.compile(r"(python -m )?(physiome|snakemake|make|pytest)\b")


def commands(text):
    """Every command line in the blocks of a page that name no other language."""
    for block in FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if RUN.match(line):
                yield shlex.split(line, comments=True)


FOUND = [(page.name, words) for page in PAGES for words in commands(page.read_text("utf-8"))]


def assert_understood(words):
    """Raises, or fails, where a command's program would refuse how it is called."""
    if words[:2] == ["python", "-m"]:
        words = words[2:]
    program, *rest = words
    if program == "physiome":
        assert rest[0] in VERBS
        VERBS[rest[0]].make_context(rest[0], rest[1:])
    elif program == "snakemake":
        asked = get_argument_parser().parse_args(rest)
        for file in asked.configfile or []:
            assert str(file) in OWN or (ROOT / file).is_file(), file
    elif program == "make":
        assert [word for word in rest if "=" not in word and word not in TARGETS] == []
    else:
        files = [word for word in rest if word.endswith(".py")]
        assert all((ROOT / file).is_file() for file in files), files


@pytest.mark.parametrize(("page", "words"), FOUND, ids=lambda x: x if isinstance(x, str) else x[0])
def test_every_command_is_understood(page, words):
    assert_understood(words)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("physiome predicts x", "predicts"),
        ("physiome predict x --out y", "--out"),
        ("make everything", "everything"),
        ("snakemake --configfile workflow/overlays/none.yaml", "none.yaml"),
        ("pytest tests/test_none.py", "test_none"),
    ],
)
def test_a_command_that_is_wrong_is_not(wrong, said):
    with pytest.raises(Exception, match=said):
        assert_understood(wrong.split())


def test_the_pages_do_hold_commands():
    assert len(FOUND) > 25
    assert {words[0] for _, words in FOUND} >= {"physiome", "snakemake", "make", "pytest"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """Between files; `mkdocs build` also checks anchors between the pages of docs/."""
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    below = [t for t in targets if re.fullmatch(r"[\w./-]+", t)]
    assert [t for t in below if not (page.parent / t).exists()] == []


def test_the_first_page_is_short_and_names_every_other():
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.split()) < 900
    named = set(re.findall(r"docs/([\w-]+)\.md", text)) | {"index"}
    assert {page.stem for page in (ROOT / "docs").glob("*.md")} == named
