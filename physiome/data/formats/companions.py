"""The other files of a recording that has several: its samples lie beside what describes them."""

from pathlib import Path

from physiome.data.formats.suffixes import OF_FORMAT, TABLES


def companions(signals: Path) -> list[Path]:
    """Files that a recording's main file names, in its own folder, whether they are there or not.

    Names that lead elsewhere are left out: the readers refuse them.
    """
    kind = OF_FORMAT.get(signals.suffix.lower())
    if kind == "WFDB":
        header = signals.with_suffix(".hea")
        body = [line.split() for line in _lines(header) if line and not line.startswith("#")]
        return [header, *_beside(header, [words[0] for words in body[1:]])]
    if kind == "BrainVision":
        parts = [line.partition("=") for line in _lines(signals)]
        names = [value for key, _, value in parts if key in ("DataFile", "MarkerFile")]
        return _beside(signals, [name.strip().replace("$b", signals.stem) for name in names])
    if kind == "EEGLAB":
        return [signals.with_suffix(".fdt")]
    return [signals.with_suffix(".json")] if kind in TABLES else []


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        return []
    return [line.strip() for line in path.read_text("utf-8", errors="replace").splitlines()]


def _beside(path: Path, names: list[str]) -> list[Path]:
    return [path.parent / name for name in names if name and "/" not in name and "\\" not in name]
