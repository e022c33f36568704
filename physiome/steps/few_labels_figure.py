"""Step: scores by the number of labelled subjects, as a table and a figure."""

from pathlib import Path

import pandas as pd

from physiome.config.report import FigureSpec
from physiome.data.store.parquet import read_parquet
from physiome.evaluation.few_labels import by_number
from physiome.files import atomic_path
from physiome.reporting.few_labels import few_labels_figure
from physiome.reporting.style import save
from physiome.subsets import subset_name


def run(settings: str, scores: list[Path], csv: Path, figure: Path) -> None:
    """Write `csv` (columns of `by_number`) and draw AUC against the number of labelled subjects.

    Args:
        settings: a FigureSpec as JSON.
        scores: of the step `few_labels`, all methods and folds.
    """
    spec = FigureSpec.parse_text(settings, "few_labels_figure")
    tables = pd.concat(map(read_parquet, scores), ignore_index=True)
    table = by_number(tables, list(map(subset_name, spec.subsets_scored)))
    with atomic_path(csv) as temporary:
        table.to_csv(temporary, index=False)
    save(few_labels_figure(table, spec.methods, spec.modalities, "auc"), figure)
