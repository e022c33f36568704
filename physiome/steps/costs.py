"""What each method costs: size, time and memory of its trainings, from their manifests."""

from pathlib import Path
from typing import Any

import pandas as pd

from physiome.config.report import CostSpec
from physiome.errors import DataError
from physiome.files import atomic_path, read_json
from physiome.training.manifest import Manifest

COLUMNS = [
    "dataset", "method", "title", "parameters", "trained_parameters", "pretraining_s",
    "training_s", "segments_per_s", "peak_memory_bytes", "peak_gpu_bytes", "job_s", "cpu_s",
    "device", "precision", "epochs", "folds",
]  # fmt: skip


def run(
    settings: str, manifests: list[Path], output: Path, benchmarks: list[Path] | None = None
) -> None:
    """Write one row per method; times, rates and counts are means over folds, memory the maximum.

    Columns: `parameters` of the whole model and those trained in the last stage;
    `pretraining_s`, the sum over all models trained before, and `training_s`, of the optimisation
    alone; `peak_memory_bytes`, the larger of the peaks on the GPU and of the process; `cpu_s` of
    the process, and `job_s` of the whole job as Snakemake measured it. A method that is never
    trained has empty cells and 0 folds.

    Args:
        settings: a CostSpec as JSON.
        manifests: `.json` beside the weights of each method and fold; others are ignored.
        output: the CSV.
        benchmarks: Snakemake's benchmark of each manifest's job, in the same order, if known; a
            file that is not there leaves its job out of `job_s`.

    Raises:
        DataError: two manifests of one method and fold, benchmarks that do not pair up, or a fold
            with other numbers of trainings before its own than the rest.
    """
    spec = CostSpec.parse_text(settings, "costs")
    if benchmarks and len(benchmarks) != len(manifests):
        raise DataError(
            "benchmarks and manifests do not pair up",
            where=output,
            why=f"{len(benchmarks)} and {len(manifests)} files",
        )
    jobs = _jobs(spec, manifests, benchmarks or [None] * len(manifests))
    rows = [_row(spec, name, jobs[jobs["method"] == name]) for name in spec.methods]
    with atomic_path(output) as temporary:
        pd.DataFrame(rows, columns=COLUMNS).to_csv(temporary, index=False)


def _jobs(spec: CostSpec, manifests: list[Path], benchmarks: list[Any]) -> pd.DataFrame:
    """One row per training job of the wanted methods."""
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for path, benchmark in zip(manifests, benchmarks, strict=True):
        manifest = Manifest.parse(read_json(path), path)
        method, fold, training = manifest.name, manifest.fold, manifest.training
        if manifest.dataset != spec.dataset or method not in spec.methods:
            continue
        if (method, fold) in rows:
            raise DataError(f"fold {fold} of method {method!r} occurs twice", where=path)
        rows[method, fold] = {
            **vars(training),
            "method": method,
            "fold": fold,
            "peak_memory_bytes": max(training.peak_gpu_bytes, manifest.peak_rss_bytes),
            "job_s": _job_s(benchmark),
            "cpu_s": manifest.cpu_s,
        }
    return pd.DataFrame(list(rows.values()), columns=None if rows else ["method"])


def _job_s(benchmark: Path | None) -> float:
    """Seconds of the whole job; Snakemake writes - or NA for what it missed."""
    if benchmark is None or not Path(benchmark).exists():
        return float("nan")
    try:
        seconds = pd.read_csv(benchmark, sep="\t")["s"]
    except (ValueError, KeyError):  # cut off: the seconds are worth no rerun of the training
        return float("nan")
    return float(pd.to_numeric(seconds, errors="coerce").mean())


def _row(spec: CostSpec, method: str, jobs: pd.DataFrame) -> dict[str, Any]:
    row: dict[str, Any] = {"dataset": spec.dataset, "method": method}
    row["title"] = spec.methods[method]
    if jobs.empty:
        return row | {"folds": 0}
    for name in ("parameters", "trained_parameters", "epochs"):
        row[name] = round(jobs[name].mean())
    for name in ("job_s", "cpu_s", "segments_per_s"):
        row[name] = jobs[name].mean()
    for name in ("peak_memory_bytes", "peak_gpu_bytes"):
        row[name] = int(jobs[name].max())
    for name in ("device", "precision"):
        row[name] = ", ".join(sorted(jobs[name].unique()))
    row |= {"training_s": jobs["seconds"].mean(), "folds": len(jobs)}
    row["pretraining_s"] = _seconds_before(spec, method, set(jobs["fold"]))
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}


def _seconds_before(spec: CostSpec, method: str, folds: set[int]) -> float:
    """Seconds of all trainings before that of `method`: summed, and the mean over its folds."""
    seconds: dict[int, list[float]] = {fold: [] for fold in folds}
    before = spec.ancestors.get(method, {}).items()
    for path in (f"{spec.folder}/fold{fold}/{name}.json" for name, of in before for fold in of):
        manifest = Manifest.parse(read_json(path), path)
        if manifest.dataset != spec.dataset:
            raise DataError(f"not of data set {spec.dataset!r}", where=path)
        if manifest.fold in folds:
            seconds[manifest.fold].append(manifest.training.seconds)
    sizes = {fold: len(found) for fold, found in seconds.items()}
    if len(set(sizes.values())) > 1:
        raise DataError(
            f"folds of method {method!r} have different numbers of trainings before theirs",
            why=str(sizes),
        )
    return sum(sum(found) for found in seconds.values()) / len(folds)
