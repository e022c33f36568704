"""YAML that may be anything is refused, with the reason, and soon."""

import pytest

from physiome.config.strict_yaml import read_yaml
from physiome.errors import ConfigError

LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
REFUSED = {
    "key twice": ("train:\n  a: 1\n  b: 2\n  a: 3\n", "key 'a' is there twice, again in line 4"),
    "key twice as text": ("a: {1: x, '1': y}\n", "key '1' is there twice, again in line 1"),
    "alias bomb": (LAUGHS, "aliases unfold to more than"),
    "alias of itself": ("a: &a [*a]\n", "inside what it stands for"),
    "deep nesting": ("a: " + "[" * 5000, "nested too deeply"),
    "tag of Python": ("a: !!python/object/apply:os.system [ls]\n", "could not determine"),
    "long number": ("a: " + "9" * 5000, "cannot read"),
    "no such day": ("a: 2026-13-45\n", "cannot read"),
    "large file": ("# x\n" * 300_000, "too large"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_hostile_yaml_is_refused(tmp_path, case):
    text, says = REFUSED[case]
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=says) as caught:
        read_yaml(tmp_path / "mine.yaml")
    assert "\n" not in str(caught.value)


def test_aliases_and_merged_keys_are_fine(tmp_path):
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\n"
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    read = read_yaml(tmp_path / "mine.yaml")
    assert read["b"] == {"x": 1, "y": 3}
    assert read["c"] == read["a"]
