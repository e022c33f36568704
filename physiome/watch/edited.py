"""Which source files and recordings were edited since a job ran."""

import ast
import json
import re
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any

from physiome.data.sources.kinds import SOURCES
from physiome.data.sources.own_files import changed_records
from physiome.errors import PhysioError
from physiome.files import canonical_json, read_json
from physiome.plan.jobs import job_of
from physiome.plan.layout import Layout
from physiome.provenance import code, reached, source_of
from physiome.registry import ENCODERS, METHODS, lineage

STEPS = {"comparison": "compare_figures", "all_scores": "scores"}  # rules called otherwise


def sources(rule: str, settings: dict[str, Any], since: float) -> list[str]:
    """Source files that a rule's job can reach and that were written to since then.

    Args:
        settings: of the job, of which `base` and `encoder` name its method.
        since: seconds since the epoch.
    """
    files = [path for name in reached(*_modules(rule, settings)) if (path := source_of(name))]
    root = Path(__file__).parents[2]
    return sorted(str(p.relative_to(root)) for p in files if p.stat().st_mtime > since)


def step(rule: str) -> str:
    """The module of a rule's step."""
    if rule == "lost_leads":
        return "physiome.predict.lost_leads"
    return f"physiome.steps.{STEPS.get(rule, rule)}"


def code_changed(rule: str, note: dict[str, Any], settings: dict[str, Any]) -> bool:
    """Whether a job's code is not what it was, by the hash among the parameters of its note."""
    if rule == "lost_leads":
        return False  # its parameters do not name its method
    hashes = [v for v in values_of(note) if is_hash(v)]
    return bool(hashes) and code(*_modules(rule, settings)) not in hashes


def is_hash(value: Any) -> bool:
    """Whether a parameter stands for code or for recordings."""
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{16}", value) is not None


def _modules(rule: str, settings: dict[str, Any]) -> list[str]:
    base = settings.get("base")
    methods = [METHODS[name].module for name in (lineage(base) if base in METHODS else ())]
    encoder = (settings.get("encoder") or {}).get("name")
    encoders = [ENCODERS[encoder].module] if encoder in ENCODERS else []
    kind = (settings.get("source") or {}).get("kind")
    kinds = [SOURCES[kind].partition(":")[0]] if kind in SOURCES else []
    return [name for name in [step(rule), *methods, *encoders, *kinds] if source_of(name)]


def is_code(rule: str, value: str) -> bool:
    """Whether a short hash among a rule's parameters stands for code, not for recordings."""
    kinds = [place.partition(":")[0] for place in SOURCES.values()]
    return rule != "fetch" or value in {code(step(rule), kind) for kind in kinds}


def records(output: str, settings: dict[str, Any]) -> list[str]:
    """One's own records of a batch whose row or files changed; [] where it cannot be told.

    Args:
        output: where the fetch step notes the batch.
        settings: of that step.
    """
    job, path = job_of(output), Path(output)
    if job is None:
        return []
    try:
        batches = range(read_json(path, "batches")["batches"])
        noted = [Path(Layout(job.results).fetched(job.named["dataset"], b)) for b in batches]
        return changed_records(canonical_json(settings), noted).get(path, [])
    except PhysioError:
        return []


def settings_of(note: dict[str, Any]) -> dict[str, Any]:
    """The settings that a job's note holds among its parameters."""
    return next((found for v in values_of(note) if (found := as_settings(v))), {})


def values_of(note: dict[str, Any]) -> list[Any]:
    """The parameters of a note; Snakemake writes each as Python does."""
    found = []
    for text in note.get("params") or ():
        with suppress(ValueError, SyntaxError):
            found.append(ast.literal_eval(text))
    return found


def as_settings(value: Any) -> dict[str, Any] | None:
    """A parameter as settings, if it is some."""
    if not (isinstance(value, str) and value.startswith("{")):
        return None
    try:
        return json.loads(value)
    except ValueError:
        return None


def settings_in(command: str) -> dict[str, Any] | None:
    """The settings in a job's command, if it has some."""
    words = shlex.split(command)
    return as_settings(words[words.index("--settings") + 1]) if "--settings" in words else None
