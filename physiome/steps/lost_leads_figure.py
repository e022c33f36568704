"""Step: scores by the number of leads left, as a table and a figure."""

from pathlib import Path

import pandas as pd

from physiome.config.report import FigureSpec
from physiome.data.store.parquet import read_parquet
from physiome.evaluation.lost_leads import by_leads
from physiome.files import atomic_path
from physiome.reporting.lost_leads import lost_leads_figure
from physiome.reporting.style import save


def run(settings: str, classes: list[str], windows: list[Path], csv: Path, figure: Path) -> None:
    """Write `csv` (columns of `by_leads`) and draw AUC against the number of leads left.

    Args:
        settings: a FigureSpec as JSON.
        windows: of the step `lost_leads`, all methods and folds.
        classes: by index.
    """
    spec = FigureSpec.parse_text(settings, "lost_leads_figure")
    table = by_leads(pd.concat(map(read_parquet, windows), ignore_index=True), classes)
    with atomic_path(csv) as temporary:
        table.to_csv(temporary, index=False)
    save(lost_leads_figure(table, spec.methods, spec.modalities, "auc"), figure)
