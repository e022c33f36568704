"""Step: the page that a run opens with."""

from pathlib import Path

import pandas as pd

from physiome import __version__
from physiome.config.metrics import PRINTED
from physiome.config.report import SummarySpec, SummaryTable
from physiome.data.report import USED
from physiome.files import write_text
from physiome.reporting.page import (
    figure_html,
    full_set,
    headline,
    notes_html,
    page_html,
    table_html,
)

FEW = 10  # test subjects
CAPTIONS = {
    "robustness": "Score against the number of missing modalities.",
    "subsets": "Score of every subset of modalities.",
    "confusion": "What was predicted of each true class.",
}


def run(settings: str, output: Path) -> None:
    """Write one HTML file from the tables, figures and lists of recordings of a run.

    Args:
        settings: a SummarySpec as JSON.
    """
    spec, sections = SummarySpec.parse_text(settings, "summary"), {}
    for table in spec.tables:
        figures = [Path(path) for path in table.figures]
        sections[table.title] = [
            _headline(table, spec.head),
            notes_html([f"All metrics, counts and notes: {table.long}"]),
            *(figure_html(path, CAPTIONS[path.stem]) for path in figures),
        ]
    sections["What was run"] = [_recordings(spec)]
    lead = (
        f"PhysioME {__version__}. Scores in percent on subjects that no training or choice saw; "
        f"head: {spec.head}. Every number can be traced to the files below scores/."
    )
    write_text(output, page_html(f"Results in {spec.results}", lead, sections))


def _headline(table: SummaryTable, head: str) -> str:
    rows = pd.read_csv(table.long, keep_default_na=False, na_values={"mean": [""]})
    rows = rows[rows["head"] == head]
    differences = pd.read_csv(table.intervals) if table.intervals else None
    flagship = rows.loc[rows["method"].str.startswith("physiome"), "title"]
    told = dict(zip(rows["title"], rows["footnote"], strict=True))
    shown = table_html(headline(rows, differences, PRINTED, table.modalities), flagship)
    notes = [_tested(rows), *(f"{title}: {text}" for title, text in told.items() if text)]
    return shown + notes_html(notes)


def _tested(rows: pd.DataFrame) -> str:
    """On how much the scores of the first columns stand."""
    full = rows[(rows["subset"] == full_set(rows["subset"])) & (rows["metric"] == PRINTED[0])]
    folds, subjects, windows = (int(full[name].max()) for name in ("folds", "subjects", "windows"))
    few = "; so few subjects say little of others" if subjects < FEW else ""
    people = f"{subjects} test subject{'s' * (subjects > 1)}"
    return f"{folds} fold{'s' * (folds > 1)}, {people}, {windows} windows{few}"


def _recordings(spec: SummarySpec) -> str:
    found = {}
    for title, path in spec.records.items():
        records = pd.read_csv(path, dtype=str, keep_default_na=False)
        used = records[records["status"] == USED]
        found[title] = {
            "recordings used": len(used),
            "left out": len(records) - len(used),
            "subjects": used["subject"].nunique(),
            "windows": int(used["windows"].astype(int).sum()),
            "every recording": path,
        }
    return table_html(pd.DataFrame.from_dict(found, orient="index"))
