"""Trainings that are still to be done, and their hours at speeds that were measured here."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import mean

from physiome.config.training import TrainSpec
from physiome.config.tree import Config
from physiome.doctor.amounts import windows
from physiome.doctor.finding import Finding
from physiome.errors import PhysioError
from physiome.files import read_json
from physiome.plan.graph import Graph
from physiome.plan.layout import Layout, Model, Row
from physiome.training.manifest import Manifest


def hours(config: Config) -> Iterator[Finding]:
    """Hours of training on one device that are left.

    Only at the speeds of finished trainings of the same model in this results folder: where there
    is none, the line says so instead of a number.
    """
    graph, at = Graph(config), Layout(config.results)
    for dataset in config.used:
        count = windows(config, dataset)
        every = trainings(graph, graph.shown(dataset), count.value)
        todo = {model: n for model, n in every.items() if not Path(at.weights(model)).exists()}
        speeds = measured(config, dataset)
        known = {m: speeds[m.below] for m in todo if m.below in speeds and count.value is not None}
        seconds = sum(todo[m] * (count.value or 0.0) / speed for m, speed in known.items())
        text = f"{dataset}: {len(todo)} trainings left"
        if known:
            text += f"; {len(known)} of them {seconds / 3600:.1f} hours at measured speeds, "
            text += f"one at a time (windows {count.basis})"
        unknown = Counter(m.below.split("/")[0] for m in todo if m not in known)
        if unknown:
            text += f"; {sum(unknown.values())} of unknown speed"
            yield Finding("warn", "hours", text, "make estimate models their hours")
        else:
            yield Finding("ok", "hours", text)


def trainings(graph: Graph, rows: Iterable[Row], count: float | None = None) -> dict[Model, float]:
    """Model -> passes over all windows of the data set, of every training behind table rows.

    Args:
        count: windows of the data set, on which `least_steps` depend; None: these are left out.
    """
    found = {}
    for model in graph.models(rows):
        folds = graph.config.section("folds", model.dataset)
        labelled = folds.train_share if graph.learns_from_labels(model) else 1 - folds.train_share
        share = (1 - 1 / folds.count) * labelled
        found[model] = _passes(graph.training(model), share, count)
    return found


def _passes(spec: TrainSpec, share: float, count: float | None) -> float:
    """Passes over the data set of a training on a share of it."""
    least = spec.least_steps * spec.batch / count if count and spec.epochs else 0.0
    return max(spec.epochs * share, least)


def measured(config: Config, dataset: str) -> dict[str, float]:
    """Model -> segments per second, the mean over folds, from manifests of finished trainings."""
    speeds: dict[str, list[float]] = {}
    root = Path(config.results, "models", dataset)
    for path in root.rglob("*.json"):
        try:
            speed = Manifest.parse(read_json(path), path).training.segments_per_s
        except PhysioError:
            continue  # no manifest of a model: it measures nothing
        if speed > 0:
            _, *name = path.relative_to(root).with_suffix("").parts
            speeds.setdefault("/".join(name), []).append(speed)
    return {name: mean(values) for name, values in speeds.items()}
