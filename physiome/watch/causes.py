"""Why jobs would run: which setting, file or source changed, and what stands on it."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from physiome.plan.jobs import LONG, SHORT
from physiome.plan.memory import is_cut_off, note_of
from physiome.watch import edited, reason
from physiome.watch.planned import Planned
from physiome.watch.run_log import last_end

MANY = 4  # files that are named one by one
LONGEST = 40  # characters of a value
CUT_OFF = "cut off while it was made"
# Of files that are not there, by how the job that last made them ended
GONE = {
    "done": "files are gone that were there",
    "failed": "its job failed last time",
    "": "files are not there: they were removed, or their job failed last time",
}
# Sections of the configuration that are a rule's whole settings
WHOLE = {"probe": "probe", "shard": "datasets.{dataset}"}
KEYED = ("records", "fetch", "folds", "pretrain", "train", "embed")
# Keys of settings that are called otherwise in the configuration
OTHERWISE = {
    "method": "systems.{base}",
    "window": "datasets.{dataset}.window",
    "modalities": "datasets.{dataset}.modalities",
    "classes": "datasets.{dataset}.classes",
    "source": "datasets.{dataset}.source",
    "batch": "embed_batch",
    "precision": "embed_precision",
    "scored": "datasets.{dataset}.scored",
}


@dataclass(frozen=True)
class Cause:
    """What changed, and the jobs that run for it.

    Attributes:
        text: in words.
        jobs: that it concerns itself.
        above: that stand on those.
    """

    text: str
    jobs: list[Planned]
    above: list[Planned]


def causes(jobs: Sequence[Planned]) -> list[Cause]:
    """What the jobs of a plan would run for, the widest first. Jobs without results are left out.

    A job that only stands on others has no cause of its own.
    """
    jobs = [job for job in jobs if job.output]
    found: dict[str, list[int]] = {}
    for i, job in enumerate(jobs):
        for text in dict.fromkeys(_texts(job)):
            found.setdefault(text, []).append(i)
    follow = _follow(jobs)
    all_of = [
        Cause(text, [jobs[i] for i in direct], [jobs[i] for i in _above(direct, follow)])
        for text, direct in found.items()
    ]
    return sorted(all_of, key=lambda cause: -len(cause.jobs) - len(cause.above))


def counted(jobs: Iterable[Planned]) -> str:
    """`9 pretrain, 20 train`, in the order of the workflow."""
    counts = Counter(job.rule if job.rule in LONG else SHORT for job in jobs)
    return ", ".join(f"{counts[rule]} {rule}" for rule in (*LONG, SHORT) if counts[rule])


def _follow(jobs: Sequence[Planned]) -> list[set[int]]:
    """For each job, those that read what it writes."""
    makers = {path: i for i, job in enumerate(jobs) for path in job.output}
    follow: list[set[int]] = [set() for _ in jobs]
    for i, job in enumerate(jobs):
        for path in job.input:
            if path in makers:
                follow[makers[path]].add(i)
    return follow


def _above(direct: Sequence[int], follow: Sequence[set[int]]) -> list[int]:
    seen, todo = set(direct), list(direct)
    while todo:
        new = follow[todo.pop()] - seen
        seen |= new
        todo += new
    return sorted(seen - set(direct))


def _texts(job: Planned) -> Iterator[str]:
    """Everything that is a reason of the job's own, in words."""
    found = reason.pieces(job.reason)
    if not found:  # of what was cut off Snakemake, too, says that it is forced
        cut_off = any(map(is_cut_off, job.output))
        yield CUT_OFF if cut_off else job.reason[:1].lower() + job.reason[1:]
    note = note_of(job.output[0]) or {}
    for kind, told in found.items():
        if kind == reason.MISSING:
            yield GONE[last_end(note)] if note else "not made yet"
        elif kind == reason.INCOMPLETE:
            yield CUT_OFF
        elif kind == reason.UPDATED:
            yield from (f"file {path} is newer than what was made of it" for path in
                        reason.files(told))  # fmt: skip
        elif kind == reason.INPUTS:
            yield _inputs(note.get("input") or [], job.input)
        elif kind == reason.COMMAND:
            yield f"the command of rule {job.rule} changed (workflow/rules)"
        elif kind == reason.SOFTWARE:
            yield "the software environment changed (envs/physiome.yaml)"
        elif kind == reason.PARAMS:
            yield from _of_params(job, note, reason.params(told))
    if note and reason.PARAMS not in found:
        yield from _hidden(job, note)


def _inputs(before: Sequence[str], now: Sequence[str]) -> str:
    new, gone = sorted(set(now) - set(before)), sorted(set(before) - set(now))
    parts = [
        f"{word} {_some(paths)}" for word, paths in (("with", new), ("without", gone)) if paths
    ]
    return f"made of other files than before: {', '.join(parts)}"


def _some(paths: Sequence[str]) -> str:
    return paths[0] + (f" and {len(paths) - 1} more" if paths[1:] else "")


def _of_params(job: Planned, note: dict[str, Any], params: reason.Params) -> Iterator[str]:
    before, now = (
        next((found for v in values if (found := edited.as_settings(v)) is not None), None)
        for values in (params.before, params.now)
    )
    settings = now or edited.settings_of(note)
    if before is not None and now is not None:
        yield from _settings(job, before, now)
    hashes = [value for value in params.now if edited.is_hash(value)]
    for value in hashes:
        code = edited.is_code(job.rule, value)
        yield from _of_code(job, note, settings) if code else [_of_data(job, settings)]
    if now is None and not hashes:
        yield f"arguments of rule {job.rule} changed"


def _hidden(job: Planned, note: dict[str, Any]) -> Iterator[str]:
    """Of a job that runs for other reasons Snakemake does not say that it changed itself."""
    before, now = edited.settings_of(note), edited.settings_in(job.command)
    if before and now:
        yield from _settings(job, before, now)
    if edited.code_changed(job.rule, note, now or before):
        yield from _of_code(job, note, now or before)


def _settings(job: Planned, before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    if job.rule not in (*WHOLE, *KEYED):
        if before != now:
            yield f"the rows or settings of {SHORT} changed"
        return
    for path, old, new in reason.changes(before, now):
        yield f"setting {_configured(job, path, now)}: {_value(old)} -> {_value(new)}"


def _of_data(job: Planned, settings: dict[str, Any]) -> str:
    names = edited.records(job.output[0], settings)
    which = f"row or file of {', '.join(names)}" if names else "the table or a file"
    batch = f"{job.wildcards['dataset']} batch {job.wildcards['batch']}"
    return f"data: {which} changed: {batch} is cut again"


def _of_code(job: Planned, note: dict[str, Any], settings: dict[str, Any]) -> Iterator[str]:
    files = edited.sources(job.rule, settings, note.get("starttime") or 0.0)
    if not files or len(files) > MANY:
        more = f" ({len(files)} files are newer, {files[0]} among them)" if files else ""
        yield f"code: {edited.step(job.rule)}, or what it imports, changed{more}"
    yield from (f"code: {file} changed" for file in files if len(files) <= MANY)


def _configured(job: Planned, path: str, settings: dict[str, Any]) -> str:
    """Where the configuration has a key of a job's settings."""
    names = {"base": settings.get("base", "")} | job.wildcards
    if job.rule in WHOLE:
        return f"{WHOLE[job.rule]}.{path}".format(**names)
    key, dot, rest = path.partition(".")
    if key in OTHERWISE and "dataset" in names:
        key = OTHERWISE[key].format(**names)
    return f"{key}{dot}{rest}"


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
