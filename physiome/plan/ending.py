"""Where the results of a finished run are: what Snakemake does not say."""

from pathlib import Path

from physiome.config.tree import Config
from physiome.plan.layout import Layout


def made_tables(config: Config) -> list[Path]:
    """CSV files of the tables that the configuration makes, those that are there."""
    at = Layout(config.results)
    paths = [Path(at.table(name)) for name in config.made_tables]
    return [path for path in paths if path.is_file()]


def whereabouts(config: Config) -> list[str]:
    """Lines on tables and how to read them, figures, and what became of the recordings.

    None where there is no table.
    """
    at = Layout(config.results)
    names = [path.stem for path in made_tables(config)]
    if not names:
        return []
    made = at.table(names[0] if len(names) == 1 else f"{{{','.join(names)}}}")
    figures = [folder for d in config.used if Path(folder := at.figures(d)).is_dir()]
    records = [path for d in config.used if Path(path := at.what_became(d)).is_file()]
    lines = {
        "Tables": f"{made}, .tex beside",
        "To read them": f"physiome show {made}",
        "The page of it": page if Path(page := f"{config.results}/summary.html").is_file() else "",
        "Figures": " ".join(f"{folder}/" for folder in figures),
        "Every recording": " ".join(records),
    }
    return ["", *(f"{name + ':':<17}{text}" for name, text in lines.items() if text)]
