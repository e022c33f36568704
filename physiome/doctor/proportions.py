"""Whether what is planned is in proportion: subsets, and models against windows."""

from collections.abc import Iterator, Mapping
from typing import Any

from physiome.config.resolve import resolve_encoder
from physiome.config.tree import Config
from physiome.doctor.amounts import windows
from physiome.doctor.finding import Finding
from physiome.plan.graph import Graph
from physiome.plan.layout import Model, Row

MANY = 63  # subsets: of six modalities
# Parameters for each window that is learned from; the paper has about 500 on Sleep-EDF
MOST = 5000


def subsets(config: Config, dataset: str) -> Iterator[Finding]:
    """Whether there are so many subsets that scoring them is what takes longest."""
    spec = config.datasets[dataset]
    count = len(spec.scored or ()) or 2 ** len(spec.modalities) - 1
    if count > MANY:
        yield Finding(
            "warn",
            "subsets",
            f"{dataset}: {len(spec.modalities)} modalities are {count} subsets, and every row is "
            "embedded and scored with each",
            f"choose some by datasets.{dataset}.subsets, or make several leads one modality",
        )


def models(config: Config, dataset: str, seconds: float | None) -> Iterator[Finding]:
    """The largest model of a data set's tables, if it has far more parameters than windows.

    Args:
        seconds: of all recordings, where windows are not counted yet; None: not known.
    """
    length_s = config.datasets[dataset].window.length_s
    total = windows(config, dataset).value or (seconds or 0.0) / length_s
    graph, folds = Graph(config), config.section("folds", dataset)
    sizes = {}
    for model in graph.models(graph.shown(dataset)):
        share = folds.train_share if graph.learns_from_labels(model) else 1 - folds.train_share
        if graph.training(model).epochs and total:
            learned = total * (1 - 1 / folds.count) * share
            sizes[model] = parameters(_settings(config, graph, model)), learned
    if not sizes:
        return
    model, (size, learned) = max(sizes.items(), key=lambda item: item[1][0] / item[1][1])
    if size > MOST * learned:
        many = int(sum(size > MOST * learned for size, learned in sizes.values()))
        more = f", like {many - 1} more training{'s' * (many > 2)}" if many > 1 else ""
        about = f"{size / 1e6:.0f} million" if size >= 1e6 else f"{size / 1e3:.0f} thousand"
        yield Finding(
            "warn",
            "model size",
            f"{dataset}: {model.below} has about {about} parameters for about "
            f"{learned:.0f} windows to learn from{more}",
            "take smaller ones: workflow/overlays/small-models.yaml, or fewer methods",
        )


def _settings(config: Config, graph: Graph, model: Model) -> Mapping[str, Any]:
    if model.modality is not None:
        return resolve_encoder(config, model.name, model.dataset, model.fold).plain()
    return graph.resolved(Row(model.dataset, model.fold, model.name)).settings


def parameters(settings: Mapping[str, Any]) -> float:
    """Weights of all transformers in a model's settings, about: 12 width^2 a layer.

    Example:
        >>> parameters({"width": 10, "depth": 2, "decoder_width": 10, "decoder_depth": 1})
        3600.0
    """
    total = 0.0
    for key, depth in settings.items():
        before, found, _ = key.rpartition("depth")
        width = settings.get(f"{before}width")
        if found and isinstance(depth, int) and isinstance(width, int):
            total += 12.0 * depth * width**2
    return total
