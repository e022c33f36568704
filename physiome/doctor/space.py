"""Whether folders can be written, and whether what a run writes will fit."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from physiome.config.tree import Config
from physiome.doctor import amounts
from physiome.doctor.finding import Finding, size


def folders(config: Config) -> list[Path]:
    """The results folder, and folders of raw files that are filled."""
    filled = [
        Path(config.raw_folder(d))
        for d in config.used
        if config.datasets[d].source.plain().get("raw", {"fill": "folder"})["fill"] != "folder"
    ]
    return [Path(config.results), *filled]


def writable(config: Config) -> Iterator[Finding]:
    """Folders that cannot be written."""
    closed = [f for f in folders(config) if not os.access(_existing(f), os.W_OK | os.X_OK)]
    for folder in closed:
        yield Finding(
            "FAIL",
            "folders",
            f"{folder} cannot be written",
            "change its rights, or set another folder",
        )
    if not closed:
        yield Finding("ok", "folders", f"{config.results} can be written")


def disk(config: Config) -> Iterator[Finding]:
    """Free bytes of every file system that is written, against what is still to be written."""
    results = Path(config.results)
    needs: dict[int, list[tuple[str, Path, amounts.Amount]]] = {}
    for what, folder, amount in _needs(config):
        needs.setdefault(_existing(folder).stat().st_dev, []).append((what, folder, amount))
    for parts in needs.values():
        named = [folder for _, folder, _ in parts]
        folder = results if results in named else named[0]
        free = shutil.disk_usage(_existing(folder)).free
        known = sum(amount.value or 0.0 for _, _, amount in parts)
        shown = ", ".join(
            f"{what} {'?' if a.value is None else size(a.value)} ({a.basis})"
            for what, _, a in parts
            if a.value != 0
        )
        unknown = not known and any(amount.value is None for _, _, amount in parts)
        amount = "unknown" if unknown else f"about {size(known)}" if known else "little"
        text = f"{size(free)} free at {folder}, {amount} to be written: "
        text += shown or "nothing but models and tables"
        if known > free:
            yield Finding(
                "FAIL", "disk", text, f"free {size(known - free)}, or use fewer data sets"
            )
        elif known > 0.8 * free:
            yield Finding("warn", "disk", text, "little is left, and models come on top")
        elif any(a.value is None for _, _, a in parts):
            yield Finding("warn", "disk", text, "what is marked ? and models come on top")
        else:
            yield Finding("ok", "disk", text + "; models come on top")


def _needs(config: Config) -> Iterator[tuple[str, Path, amounts.Amount]]:
    for name in config.used:
        raw = amounts.raw_bytes(config, name)
        if raw.value != 0:  # a folder that is only read is none of its business
            yield f"raw {name}", Path(config.raw_folder(name)), raw
        results = Path(config.results)
        yield f"shards {name}", results, amounts.shard_bytes(config, name)
        yield f"embeddings {name}", results, amounts.embedding_bytes(config, name)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    folder = folder.absolute()
    return next(f for f in (folder, *folder.parents) if f.exists())
