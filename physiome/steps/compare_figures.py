"""Draw scores by the number of missing modalities, and how well modalities are restored."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from physiome.config.report import FigureSpec, main_method
from physiome.errors import DataError, nearest
from physiome.files import atomic_path, read_json
from physiome.reporting.comparison_figures import restoration_figure, robustness_figure
from physiome.reporting.restored import restored_figure
from physiome.reporting.robustness import by_missing, restoration_errors
from physiome.reporting.scores import read_scores
from physiome.reporting.style import save
from physiome.reporting.tables import build_table


def run(
    settings: str,
    scores: Path,
    embeddings: list[Path],
    robustness: Path,
    restoration: Path,
    restored: Path,
    restoration_csv: Path,
) -> None:
    """Draw the three figures of one data set.

    Args:
        settings: a FigureSpec as JSON, as for the step `figures`.
        scores: scores of all folds and methods.
        embeddings: `.json` facts of the embed step, all methods and folds; others are ignored.
        robustness: SVG (a PDF beside it); mean score over the subsets that lack so many modalities.
        restoration: likewise; relative error of restored modalities by observed subset.
        restored: likewise; tokens of one window, true and restored, by the main method if it
            restores, else by the first that does, in its first fold.
        restoration_csv: the numbers of the errors' figure; only a header if no method restores.

    Raises:
        DataError: no scores of the data set and the head.
    """
    spec = FigureSpec.parse_text(settings, "compare_figures")
    table = read_scores(scores)
    here = table[(table["dataset"] == spec.dataset) & (table["head"] == spec.head)]
    if here.empty:
        raise DataError(
            f"no scores of data set {spec.dataset!r} and head {spec.head!r}",
            where=scores,
            do=nearest(spec.dataset, set(table["dataset"])),
        )
    means = build_table(here, spec.methods, spec.modalities, scored=spec.scored)
    points = by_missing(means[means["metric"] == spec.metric], spec.subsets_scored)
    save(robustness_figure(points, spec.methods, spec.metric), robustness)

    facts = [read_json(path) for path in embeddings]
    mine = [f for f in facts if f["dataset"] == spec.dataset and f["method"] in spec.methods]
    errors = restoration_errors(mine)
    save(restoration_figure(errors, spec.methods, spec.modalities), restoration)
    save(_example(spec, mine), restored)
    with atomic_path(restoration_csv) as temporary:
        errors.to_csv(temporary, index=False)


def _example(spec: FigureSpec, facts: list[dict[str, Any]]) -> Figure:
    having = [f for f in facts if f.get("examples")]
    if not having:
        return restored_figure({}, spec.modalities, "")
    order, main = list(spec.methods), main_method(spec.methods)
    chosen = min(having, key=lambda f: (f["method"] != main, order.index(f["method"]), f["fold"]))
    title = f"{spec.title}: tokens of {spec.methods[chosen['method']].title}, fold {chosen['fold']}"
    return restored_figure(chosen["examples"], spec.modalities, title)
