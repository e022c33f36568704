"""Reading YAML that may be anything: no key twice, no tags, no aliases that grow without bound."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from physiome.errors import ConfigError

LARGEST_FILE = 1_000_000  # bytes; the shipped configuration has 30,000
MOST_NODES = 100_000  # keys, values and lists with every alias written out


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file; {} for an empty one.

    Raises:
        ConfigError: the file is missing, is not YAML or no mapping, has a key twice (with its
            line), a tag of another language, or unfolds to more than any configuration needs.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise ConfigError("too large for a configuration", where=path, why=f"{size} bytes")
        value = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except RecursionError:
        raise ConfigError("cannot read", where=path, why="it is nested too deeply") from None
    except (OSError, ValueError, OverflowError, yaml.YAMLError) as error:
        why = " ".join(str(error).split())
        raise ConfigError("cannot read", where=path, why=why or type(error).__name__) from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError("not a configuration", where=path, why="no `key: value` at its top")
    return value


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, which knows no tags of Python, with two more refusals."""

    def get_single_node(self) -> Any:
        node = super().get_single_node()
        if node is not None and _unfolded(node, {}, set()) > MOST_NODES:
            raise yaml.YAMLError(f"its aliases unfold to more than {MOST_NODES} values")
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        if isinstance(node, yaml.MappingNode):
            seen = set()
            for key, _ in node.value:  # before `<<` is merged: its keys may be overridden
                named = key.value if isinstance(key, yaml.ScalarNode) else None  # 1 is "1" in JSON
                if named in seen and named is not None:
                    line = key.start_mark.line + 1
                    raise yaml.YAMLError(f"key {key.value!r} is there twice, again in line {line}")
                seen.add(named)
        return super().construct_mapping(node, deep)


def _unfolded(node: Any, sizes: dict[int, int], open_nodes: set[int]) -> int:
    """Number of nodes below and including `node`, every alias counted as what it stands for."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) in open_nodes:
        raise yaml.YAMLError("an alias stands inside what it stands for")
    if id(node) not in sizes:
        open_nodes.add(id(node))
        below = node.value
        if isinstance(node, yaml.MappingNode):
            below = [part for pair in node.value for part in pair]
        sizes[id(node)] = 1 + sum(_unfolded(part, sizes, open_nodes) for part in below)
        open_nodes.remove(id(node))
    return sizes[id(node)]
