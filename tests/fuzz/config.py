"""Configuration files: lines, keys and values of the one that is shipped."""

import re
from pathlib import Path

import numpy as np

from physiome.config.tree import Config, load_files
from tests.fuzz.mutate import damaged

SHIPPED = Path(__file__).parents[2] / "config.yaml"
NASTY = (
    "-1", "0", "1e9", "1.0e+400", ".nan", ".inf", "null", "~", "true", "''", "[]", "{}", "[[[]]]",
    "- a", "2026-13-45", "2026-01-01", "0x", "0o8", "1:2:3", "!!python/object:os.system {}",
    "!!binary x", "!!set {a}", "!!int x", "&a [*a]", "*none", "<<: *x", "? x", "睡", '"\\ud800"',
    '"\\0"', "9" * 5000, "[" * 3000, "{a: " * 500, "|\n x", "%", "@", "`", "\t", "../../x", "---",
)  # fmt: skip


class Target:
    """The shipped file, damaged as text."""

    cases = 2_000
    checked = frozenset()

    def __init__(self, folder: Path):
        self.path = folder / "config.yaml"
        text = SHIPPED.read_text(encoding="utf-8")
        # Comments are most of the file and would take most of the injuries.
        self.text = re.sub(r"(?m)^ *#.*\n|  #.*$|^\n", "", text)
        self.known = self._load(self.text.encode()).plain()

    def case(self, rng: np.random.Generator) -> tuple[str, str]:
        """Damage the text and load it."""
        kind = "bytes" if rng.random() < 0.3 else "lines"
        data = damaged(self.text.encode(), rng) if kind == "bytes" else _lines(self.text, rng)
        found = self._load(data)
        for table in found.made_tables:  # what `physiome check` goes through
            found.rows_of(table), found.folds_of(table)
        return kind, "same" if found.plain() == self.known else "other"

    def _load(self, data: bytes) -> Config:
        self.path.write_bytes(data)
        return load_files([self.path])


def _lines(text: str, rng: np.random.Generator) -> bytes:
    """One to three lines with another value, key, depth or place."""
    lines = text.splitlines()
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(len(lines)))
        nasty = NASTY[int(rng.integers(len(NASTY)))]
        key, colon, value = lines[place].partition(":")
        other = lines[int(rng.integers(len(lines)))]
        lines[place] = (
            f"{key}: {nasty}",
            f"{key}: {other.partition(':')[2]}",
            f"{nasty}:{value}",
            lines[place] + "\n" + lines[place],
            " " * int(rng.integers(1, 9)) + lines[place],
            lines[place].strip(),
            other,
            "",
            f"{key}: &a {value.strip()}",
            f"{key}: {value}{nasty}",
            key + colon + value.replace(" ", f" {nasty}", 1),
        )[int(rng.integers(11))]
    return "\n".join(lines).encode("utf-8")
