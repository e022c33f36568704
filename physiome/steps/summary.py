"""Step: the page that a run opens with."""

from pathlib import Path
from typing import Any

import pandas as pd

from physiome import __version__
from physiome.config.metrics import PRINTED
from physiome.config.report import SummarySpec
from physiome.files import write_text
from physiome.plan.layout import Layout
from physiome.reporting.page import figure_html, headline, notes_html, page_html, table_html

FIGURES = {
    "robustness": "Score against the number of missing modalities.",
    "subsets": "Score of every subset of modalities.",
    "confusion": "What was predicted of each true class.",
}


def run(settings: str, output: Path) -> None:
    """Write one HTML file from the tables, figures and lists of recordings of a run.

    Args:
        settings: a SummarySpec as JSON.
    """
    spec = SummarySpec.parse_text(settings, "summary")
    at, sections = Layout(spec.results), {}
    for name, table in spec.tables.items():
        sections[f"{table.title}"] = [
            _headline(at, name, table.reference, spec),
            f'<p class="note">{at.table(name)}; all metrics and counts: '
            f"{at.table(name, 'long.csv')}</p>",
            *(
                figure_html(Path(at.figures(table.dataset), f"{figure}.svg"), caption)
                for figure, caption in (FIGURES.items() if table.own else ())
            ),
        ]
    sections["What was run"] = [_recordings(at, spec)]
    lead = f"PhysioME {__version__}. Scores in percent on subjects that no training or choice saw; "
    lead += "head: " + spec.head + ". Every number can be traced: see the folder scores/."
    write_text(output, page_html(f"Results in {spec.results}", lead, sections))


def _headline(at: Layout, name: str, reference: str | None, spec: SummarySpec) -> str:
    rows = pd.read_csv(at.table(name, "long.csv"), keep_default_na=False, na_values={"mean": [""]})
    rows = rows[rows["head"] == spec.head]
    differences = None
    if reference is not None:
        differences = pd.read_csv(at.table(name, "intervals.csv"))
    titles: dict[str, Any] = dict(zip(rows["method"], rows["title"], strict=True))
    told = dict(zip(rows["title"], rows["footnote"], strict=True))
    table = headline(rows, differences, PRINTED)
    flagship = [title for method, title in titles.items() if method.startswith("physiome")]
    return table_html(table, flagship) + notes_html(f"{t}: {n}" for t, n in told.items() if n)


def _recordings(at: Layout, spec: SummarySpec) -> str:
    found = {}
    for dataset in dict.fromkeys(table.dataset for table in spec.tables.values()):
        records = pd.read_csv(at.what_became(dataset))
        used = records[records["status"] == "used"]
        found[spec.datasets[dataset]] = {
            "recordings used": len(used),
            "left out": len(records) - len(used),
            "subjects": used["subject"].nunique(),
            "windows": int(used["windows"].sum()),
            "every recording": at.what_became(dataset),
        }
    return table_html(pd.DataFrame.from_dict(found, orient="index"))
