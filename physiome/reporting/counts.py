"""How many windows and subjects stand behind each cell of a table, in all and of each class."""

from collections.abc import Sequence

import pandas as pd

from physiome.reporting.tables import ROBUSTNESS
from physiome.subsets import AS_RECORDED, Subset, subset_name

WINDOWS, SUBJECTS = "windows", "subjects"


def tested_sizes(cells: pd.DataFrame) -> tuple[int, int, int]:
    """Test windows and subjects summed over folds, and the number of folds."""
    compared = cells[(cells["metric"] == "acc") & (cells["subset"] != AS_RECORDED)]
    sizes = compared.groupby("fold")[[WINDOWS, SUBJECTS]].max().sum()
    return int(sizes[WINDOWS]), int(sizes[SUBJECTS]), compared["fold"].nunique()


def cell_counts(cells: pd.DataFrame, scored: Sequence[Subset]) -> pd.DataFrame:
    """Sums over folds of what was tested, of each cell.

    Args:
        cells: scores of one data set and head, with the rows `windows_<class>`, `subjects_<class>`.
        scored: the subsets that are scored, the full set first.

    Returns:
        Indexed by subset and method: windows, subjects, then `windows <class>`, `subjects <class>`
        in the order of classes. The mean over the proper subsets has the fewest of any of them.
    """
    keys = ["subset", "method"]
    acc = cells[cells["metric"] == "acc"]
    found = acc.groupby(keys, sort=False)[[WINDOWS, SUBJECTS]].sum()
    of_class = cells[cells["metric"].str.startswith((f"{WINDOWS}_", f"{SUBJECTS}_"))]
    sums = of_class.pivot_table("value", keys, "metric", aggfunc="sum", sort=False)
    sums.columns = [str(name).replace("_", " ", 1) for name in sums.columns]
    found = found.join(sums).fillna(0).astype(int)
    proper = [subset_name(s) for s in scored[1:]]
    part = found[found.index.isin(proper, level="subset")]
    fewest = part.groupby("method", sort=False).min()
    return pd.concat([found, pd.concat({ROBUSTNESS: fewest}, names=["subset"])])
