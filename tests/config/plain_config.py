"""The shipped configuration as plain data, and changes of single leaves of it."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from physiome.config.base import deep_merge
from physiome.config.tree import Config

ROOT = Path(__file__).resolve().parents[2]
OVERLAYS = sorted((ROOT / "workflow" / "overlays").glob("*.yaml"))


def stacked(overlay: Path) -> list[Path]:
    """An overlay with what it is given after: the parts of `make learn` share learn.yaml."""
    shared = overlay.with_name("learn.yaml")
    return [shared, overlay] if overlay.stem.startswith("learn-") else [overlay]


@cache
def _shipped() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))


def shipped() -> dict[str, Any]:
    """config.yaml, free to change."""
    return json.loads(json.dumps(_shipped()))  # not deepcopy: it keeps YAML's anchors shared


def changed(path: str, value: Any) -> dict[str, Any]:
    """config.yaml with the leaf at `path` (keys joined by dots) set to `value`."""
    plain = shipped()
    *parents, last = path.split(".")
    inner = plain
    for key in parents:
        inner = inner.setdefault(key, {})
    inner[last] = value
    return plain


def overlaid(*paths: Path) -> Config:
    """config.yaml with overlays on top."""
    plain = shipped()
    for path in paths:
        plain = deep_merge(plain, yaml.safe_load(path.read_text(encoding="utf-8")))
    return Config.load(plain)
