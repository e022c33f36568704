"""The published figures: every cell of the paper's Tables 1 to 6, for comparison with ours."""

from pathlib import Path

import pandas as pd

from physiome.config.paper import paper_title
from physiome.errors import ConfigError, nearest

CELLS = Path(__file__).with_name("paper_tables.csv")
MEAN = "mean of proper subsets"
DROP = "mean absolute difference from full"


def paper_cells(table: int) -> pd.DataFrame:
    """Cells of one published table.

    Returns:
        method (as titled in the paper), subset (`Fpz-Cz+Pz-Oz+EOG`), metric (acc, auc) and value in
        percent. The robustness row has the subsets MEAN and DROP. The paper's tables write Pz-Cz
        for the channel that its text and the data set call Pz-Oz; here it is Pz-Oz.

    Raises:
        ConfigError: if the paper has no such table of results.
    """
    cells = pd.read_csv(CELLS)
    if table not in set(cells["table"]):
        known = ", ".join(str(number) for number in sorted(set(cells["table"])))
        raise ConfigError(f"the paper has no results in table {table}", do=f"known: {known}")
    cells = cells[cells["table"] == table].rename(columns={"row": "method"})
    return cells.assign(
        metric=cells["metric"].str.lower(),
        subset=cells["subset"].str.replace("Pz-Cz", "Pz-Oz"),
    )[["method", "subset", "metric", "value"]].reset_index(drop=True)


def paper_method(title: str, cells: pd.DataFrame) -> str | None:
    """The paper's spelling of a method's title, or None if the table does not have it."""
    known = {name.casefold(): name for name in cells["method"].unique()}
    return known.get(title.casefold())


def paper_subset(titles: list[str]) -> str:
    """The paper's key of a subset, from the modalities' titles (`EEG Pz-Cz` is `Pz-Oz`)."""
    return "+".join(map(paper_title, titles))


def require_titles(titles: list[str], cells: pd.DataFrame) -> None:
    """Raise ConfigError if a modality's title does not occur in the paper's table."""
    known = {
        part
        for subset in cells["subset"]
        if subset not in (MEAN, DROP)
        for part in subset.split("+")
    }
    for title in titles:
        if paper_subset([title]) not in known:
            raise ConfigError(
                f"modality title {title!r} is not in the paper's table",
                do=f"{nearest(title, known)}; or set paper_table to null",
            )
