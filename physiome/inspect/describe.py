"""How `inspect` prints a file: plain lines for people, and YAML to paste."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from physiome.errors import on_one_line


def as_text(block: Mapping[str, Any]) -> str:
    """The lines of one file, of what the step `inspect` finds."""
    lines = [block["file"], *("  " + line for line in _lines(block))]
    return "\n".join(map(on_one_line, lines))


def map_text(proposal: dict[str, Any], counts: Mapping[str, int], files: int) -> str:
    """The `modalities` section to paste, with the number of files that have each as a comment."""
    head, *lines = _yaml({"modalities": proposal})
    told = [f"{line}  # in {counts[name]}" for name, line in zip(proposal, lines, strict=True)]
    lines = [f"proposed map, of {files} files:", *("  " + x for x in (head, *told))]
    return "\n".join(map(on_one_line, lines))


def _lines(block: Mapping[str, Any]) -> Iterator[str]:
    if "error" in block:
        yield f"cannot be read: {block['error']}"
        return
    start = f", from {block['start']}" if block["start"] else ""
    yield f"{_duration(block['duration_s'])}{start}, {len(block['channels'])} channels"
    width = max((len(c["name"]) for c in block["channels"]), default=0)
    for c in block["channels"]:
        yield f"  {c['name']:{width}}  {c['rate_hz']:g} Hz  {c['unit'] or '(no unit)'}"
    if block["annotations_s"]:
        scored = {text: _duration(s) for text, s in block["annotations_s"].items()}
        yield f"annotations: {_counts(scored)}"
        if block["annotation_file"] != block["file"]:
            yield f"  in {block['annotation_file']}"
    for note in block["notes"]:
        yield f"note: {note}"
    for name, use in block["use"].items():
        yield from _use(name, use)


def _use(name: str, use: Mapping[str, Any]) -> Iterator[str]:
    if "left_out" in use:
        yield f"{name}: left out: {use['left_out']}"
    else:
        labels = f"labels {_counts(use['labels'])}" if use["labels"] else "not labelled here"
        yield f"{name}: {use['windows']} windows of {use['window_s']:g} s, {labels}"
        if use["dropped"]:
            yield f"  {use['dropped']} windows left out for want of modalities"
        for modality, m in use["modalities"].items():
            lacking = f"missing: {m['absent']}" if m["absent"] else ""
            if m["channel"] is None:
                yield f"  {modality}: {lacking}"
                continue
            lost = f"lost to {_counts(m['lost'])}" if m["lost"] else ""
            found = f"{m['channel']!r} in {m['carried']} windows"
            yield f"  {modality}: {'; '.join(filter(None, (found, lost, lacking)))}"
        yield from (f"  {text}" for text in use["implausible"].values())
        if use["overhang_s"]:
            yield f"  annotations run {_duration(use['overhang_s'])} past the signals"
        yield from (f"  note: {note}" for note in use["notes"])
    if use["map"]:
        yield "  perhaps meant:"
        section = {"datasets": {name: {"modalities": use["map"]}}}
        yield from ("    " + line for line in _yaml(section))


def _yaml(section: dict[str, Any]) -> list[str]:
    """YAML lines with one modality a line."""
    if "modalities" not in section:
        ((key, inner),) = section.items()
        return [f"{key}:", *("  " + line for line in _yaml(inner))]
    lines = ["modalities:"]
    for name, modality in section["modalities"].items():
        flow = yaml.safe_dump(
            modality, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True
        )
        lines.append(f"  {name}: {flow.strip()}")
    return lines


def _counts(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {n}" for name, n in counts.items())


def _duration(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:g} s"
