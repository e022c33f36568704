"""Where the results of a finished run are: what Snakemake does not say."""

from collections.abc import Iterable
from os.path import normpath
from pathlib import Path

from physiome.config.tree import Config
from physiome.plan.layout import Layout


def made_tables(config: Config, targets: Iterable[str] = ()) -> list[Path]:
    """CSV files of the tables that the configuration makes, those that are there.

    Args:
        targets: of Snakemake; where there are some, the tables among them alone.
    """
    asked = _asked(config, targets)
    names = config.made_tables if asked is None else asked
    paths = [Path(Layout(config.results).table(name)) for name in names]
    return [path for path in paths if path.is_file()]


def _asked(config: Config, targets: Iterable[str]) -> list[str] | None:
    """Tables that targets name; None where everything is made."""
    targets, folder = [normpath(x) for x in targets], f"{config.results}/tables/"
    if {*targets} <= {"all"}:
        return None
    names = (x.removeprefix(folder).split(".")[0] for x in targets if x.startswith(folder))
    return [name for name in dict.fromkeys(names) if name in config.tables_of]


def whereabouts(config: Config, targets: Iterable[str] = ()) -> list[str]:
    """Lines on tables and how to read them, figures, and what became of the recordings.

    None where there is no table. Of chosen targets figures and the page are not made again, so
    they are not named.
    """
    targets = [*targets]
    at, chosen = Layout(config.results), _asked(config, targets) is not None
    names = [path.stem for path in made_tables(config, targets)]
    if not names:
        return []
    made = at.table(names[0] if len(names) == 1 else f"{{{','.join(names)}}}")
    figures = [folder for d in config.used if not chosen and Path(folder := at.figures(d)).is_dir()]
    page = f"{config.results}/summary.html"
    records = [path for d in config.used if Path(path := at.what_became(d)).is_file()]
    lines = {
        "Tables": f"{made}, .tex beside",
        "To read them": f"physiome show {made}",
        "The page of it": page if not chosen and Path(page).is_file() else "",
        "Figures": " ".join(f"{folder}/" for folder in figures),
        "Every recording": " ".join(records),
    }
    return ["", *(f"{name + ':':<17}{text}" for name, text in lines.items() if text)]
