"""How many windows and bytes the configured data make: counted where they are, else assumed."""

from dataclasses import dataclass
from pathlib import Path

from physiome.config.modality import carriers
from physiome.config.tree import Config
from physiome.doctor.stored import raw_lists, shard_folders
from physiome.files import read_json
from physiome.plan.graph import Graph
from physiome.plan.layout import Layout
from physiome.subsets import named_subsets

# Assumptions about all subjects of the public data sets, for before anything is fetched.
ASSUMED_S = {"sleep_edf": 195_000 * 30.0, "vitaldb": 480_000 * 60.0}  # of windows
ASSUMED_RAW = {"sleep_edf": 8.1e9, "vitaldb": 100e9}  # bytes
ASSUMED_WIDTH = 512  # of an embedding whose method does not say


@dataclass(frozen=True)
class Amount:
    """A number and where it comes from: counted, extrapolated, assumed; None: not known."""

    value: float | None
    basis: str


def windows(config: Config, dataset: str) -> Amount:
    """Windows of a data set."""
    spec, folders = config.datasets[dataset], shard_folders(config, dataset)
    source = spec.source.plain()
    if folders:
        found = sum(read_json(folder / "manifest.json", "windows")["windows"] for folder in folders)
        whole = len(folders) >= spec.batches
        basis = "counted" if whole else f"from {len(folders)} of {spec.batches} batches"
        return Amount(found * spec.batches / len(folders), basis)
    if source.get("raw", {}).get("fill") == "synthetic":
        made = source["raw"]["synthetic"]
        recordings = made["subjects"] * made["recordings_per_subject"]
        return Amount(recordings * made["hours"] * 3600 / spec.window.length_s, "at most")
    if source.get("raw", {}).get("fill") == "download" and spec.source.kind in ASSUMED_S:
        return Amount(ASSUMED_S[spec.source.kind] / spec.window.length_s, "assumed")
    return Amount(None, "not known before the shards are written")


def raw_bytes(config: Config, dataset: str) -> Amount:
    """Bytes of raw files that are still to be fetched."""
    spec = config.datasets[dataset]
    source = spec.source.plain().get("raw", {"fill": "folder"})
    done = len(raw_lists(config, dataset)) / spec.batches
    if source["fill"] == "folder" or done >= 1:
        return Amount(0.0, "they are there")
    if source["fill"] == "synthetic":
        return Amount(None, "synthetic, not estimated")
    found = sum(p.stat().st_size for p in Path(config.raw_folder(dataset)).rglob("*.*"))
    if done:
        return Amount(found / done - found, f"from {len(raw_lists(config, dataset))} batches")
    if spec.source.kind not in ASSUMED_RAW:
        return Amount(None, "not known before it is fetched")
    return Amount(max(0.0, ASSUMED_RAW[spec.source.kind] - found), "assumed")


def shard_bytes(config: Config, dataset: str) -> Amount:
    """Bytes of the shards that are still to be written: float32 samples of every lead."""
    spec, count = config.datasets[dataset], windows(config, dataset)
    if count.value is None:
        return count
    left = 1 - min(1.0, len(shard_folders(config, dataset)) / spec.batches)
    each = len(carriers(spec.modalities)) * spec.window.samples * 4
    return Amount(count.value * each * left, count.basis)


def embedding_bytes(config: Config, dataset: str) -> Amount:
    """Bytes of the embeddings that are still to be written: float32 of every subset."""
    spec, count = config.datasets[dataset], windows(config, dataset)
    if count.value is None:
        return count
    folds = config.section("folds", dataset)
    share = 1 / folds.count + (1 - 1 / folds.count) * folds.train_share
    total = 0.0
    graph, at = Graph(config), Layout(config.results)
    for row in graph.shown(dataset):
        if not Path(at.embeddings(row)).exists():
            chosen = config.subsets_of(row.method, dataset) or spec.scored
            subsets = named_subsets(chosen, tuple(spec.modalities))
            width = graph.resolved(row).settings.get("width", ASSUMED_WIDTH)
            total += count.value * share * len(subsets) * width * 4
    return Amount(total, f"windows {count.basis}, widths in part assumed")
