"""Whether the data that are already there still are what was written."""

from collections.abc import Iterator
from pathlib import Path

from physiome.config.agreement import differences
from physiome.config.tree import Config
from physiome.data.sources.integrity import altered_files
from physiome.data.sources.own_files import changed_records
from physiome.data.store.shards import read_manifest
from physiome.doctor.finding import Finding, several
from physiome.errors import PhysioError
from physiome.files import read_json
from physiome.plan.layout import Layout
from physiome.plan.stale import own_batches

SHOWN = 3  # altered files that are named


def shards(config: Config, dataset: str) -> Iterator[Finding]:
    """Shards against the sizes in their manifests, and their settings against the configuration."""
    folders = shard_folders(config, dataset)
    other = 0
    for folder in folders:
        try:
            found = read_manifest(folder)
        except PhysioError as error:
            yield Finding("FAIL", "shards", str(error))
            continue
        other += any(
            differences(found.get("settings"), config.datasets[dataset].shard_settings(), True)
        )
    if other:
        yield Finding(
            "warn",
            "shards",
            f"{other} of {dataset} have other settings than configured",
            "Snakemake will write them again, and train on them again",
        )
    if folders and not other:
        whole = several(config.datasets[dataset].batches, "batch")
        text = f"{len(folders)} of {whole} of {dataset}"
        yield Finding("ok", "shards", text)


def shard_folders(config: Config, dataset: str) -> list[Path]:
    """Folders of the shards that are there, of batches that there are."""
    at, batches = Layout(config.results), range(config.datasets[dataset].batches)
    paths = (Path(at.shard(dataset, batch)) for batch in batches)
    return [path.parent for path in paths if path.exists()]


def raw(config: Config, dataset: str, verify: bool) -> Iterator[Finding]:
    """Raw files against what was verified when they were fetched.

    Args:
        verify: read every byte; otherwise only look whether the files are there and how old.
    """
    wrong, newer, batches = [], [], raw_lists(config, dataset)
    try:
        for path in batches:
            wrong += [(t, path) for t in (altered_files(path) if verify else _missing(path))]
            newer += [] if verify else _newer(path)
    except (PhysioError, OSError) as error:
        yield Finding("FAIL", "raw files", str(error))
        return
    own = config.datasets[dataset].source.kind == "recordings"
    for text, path in wrong[:SHOWN]:
        do = "restore it, or accept it: "
        do += (
            "snakemake cuts its batch again"
            if own
            else (f"snakemake --forcerun {path} (after deleting the file, to fetch it anew)")
        )
        yield Finding("FAIL", "raw files", text, do)
    if wrong[SHOWN:]:
        yield Finding("FAIL", "raw files", f"and {len(wrong) - SHOWN} more of {dataset}")
    if newer and not wrong:
        some = newer[0] + (f" and {len(newer) - 1} more" if newer[1:] else "")
        yield Finding(
            "warn",
            "raw files",
            f"{some}: written to after the fetch step noted its sum",
            "--verify says whether bytes changed",
        )
    if batches and not wrong and not newer:
        done = "every byte as fetched" if verify else "all there; --verify reads every byte"
        yield Finding("ok", "raw files", f"{several(len(batches), 'batch')} of {dataset}: {done}")


def own_records(config: Config, dataset: str) -> Iterator[Finding]:
    """One's own rows and files against what the fetch step found."""
    noted = own_batches(config, dataset)
    if not any(path.exists() for path in noted):
        return
    try:
        found = changed_records(config.records_settings(dataset), noted)
    except PhysioError as error:
        yield Finding("FAIL", "records", str(error))
        return
    changed = sorted(name for names in found.values() for name in names)
    if changed:
        more = f" and {len(changed) - SHOWN} more" if changed[SHOWN:] else ""
        yield Finding(
            "warn",
            "records",
            f"{', '.join(changed[:SHOWN])}{more} of {dataset}: not as "
            "when they were cut (row of the table, or file)",
            "snakemake cuts their batches again",
        )


def raw_lists(config: Config, dataset: str) -> list[Path]:
    """What the fetch step wrote so far, of batches that there are."""
    at, batches = Layout(config.results), range(config.datasets[dataset].batches)
    paths = (Path(at.fetched(dataset, batch)) for batch in batches)
    return [path for path in paths if path.exists()]


def _missing(path: Path) -> list[str]:
    return [
        f"{file}: missing, but {path.name} says it was fetched"
        for file in _files(path)
        if not Path(file).is_file()
    ]


def _newer(path: Path) -> list[str]:
    """Files changed after their sums were noted; a copied folder may look so, unaltered."""
    noted = path.stat().st_mtime
    return [f for f in _files(path) if Path(f).is_file() and Path(f).stat().st_mtime > noted]


def _files(path: Path) -> list[str]:
    usable = [r for r in read_json(path, "records")["records"] if not r.get("problem")]
    return [f for r in usable for f in (r["signals"], r.get("annotations")) if f]
