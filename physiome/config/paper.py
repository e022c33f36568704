"""The paper's tables of results: which there are, and what they call modalities."""

from collections.abc import Iterable

from physiome.errors import ConfigError, nearest

NIGHTS = ("Fpz-Cz", "Pz-Oz", "EOG")
TITLES = {1: NIGHTS, 2: ("ABP", "ECG", "PPG"), 3: NIGHTS, 4: NIGHTS, 5: NIGHTS, 6: NIGHTS}


def paper_title(title: str) -> str:
    """A modality's title as the paper has it: `EEG Pz-Cz` is `Pz-Oz`."""
    return title.removeprefix("EEG ").replace("Pz-Cz", "Pz-Oz")


def require_paper(table: int, titles: Iterable[str], where: str) -> None:
    """Refuse to stand beside a table that the paper does not have, or has of other modalities.

    Raises:
        ConfigError: naming the table or the title.
    """
    if table not in TITLES:
        known = ", ".join(map(str, TITLES))
        raise ConfigError(f"{where}: the paper has no results in table {table} - known: {known}")
    for title in titles:
        if paper_title(title) not in TITLES[table]:
            raise ConfigError(
                f"{where}: the paper's table {table} has no modality titled {title!r}",
                do=f"{nearest(title, TITLES[table])}; or set it to null",
            )
