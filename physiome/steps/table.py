"""Write one table of results as CSV (all heads) and LaTeX (one head)."""

import json
from pathlib import Path

import pandas as pd

from physiome.config.metrics import BALANCED, METRICS
from physiome.config.report import ONE_HEAD, TableSpec
from physiome.errors import DataError, nearest
from physiome.files import atomic_path, sums, write_json, write_text
from physiome.reporting.ablation_latex import variants_to_latex
from physiome.reporting.counts import cell_counts, tested_sizes
from physiome.reporting.latex import to_latex
from physiome.reporting.notes import read_notes
from physiome.reporting.paper import paper_cells, require_titles
from physiome.reporting.scores import read_scores
from physiome.reporting.table_csv import compact, long, unbalanced
from physiome.reporting.tables import build_table
from physiome.subsets import AS_RECORDED, parse_subset, subset_name


def run(settings: str, scores: Path, csv: Path, tex: Path) -> None:
    """Build the table.

    Args:
        settings: a TableSpec as JSON.
        scores: scores of all folds and methods; reasons for missing ones and footnotes, if any, in
            the `.notes.json` of the scores step beside it.
        csv: output with every head and the metrics of the settings, a row per subset. Beside it
            `<stem>.long.csv`, a row per cell with every metric and count, and `<stem>.json`: the
            settings and the sums of what was read and written.
        tex: output with the head and the metrics of the settings.

    Raises:
        DataError: if there are no scores of the data set or of the head.
    """
    spec = TableSpec.parse_text(settings, "table")
    found = _scores_of(spec, scores)
    printed = found[found["head"] == spec.head]
    if spec.more_if_unbalanced and unbalanced(cell_counts(printed, spec.subsets_scored)):
        spec = spec.model_copy(update={"metrics": (*spec.metrics, *BALANCED)})
    reasons, footnotes = read_notes(Path(scores), spec.dataset)
    tables, programs = {}, []
    for head, cells in found.groupby("head", sort=False):
        told = reasons | (_without_head(cells, spec) if head == ONE_HEAD else {})
        table = tables[head] = _built(cells, spec, told)
        counts = cell_counts(cells, spec.subsets_scored)
        programs.append(long(table, spec, str(head), counts, footnotes))
    people = [compact(table, spec, str(head)) for head, table in tables.items()]
    every = csv.with_suffix(".long.csv")
    for path, parts in ((csv, people), (every, programs)):
        with atomic_path(path) as temporary:
            pd.concat(parts).to_csv(temporary, index=False)
    to_tex = variants_to_latex if spec.layout == "variants" else to_latex
    write_text(tex, to_tex(tables[spec.head], spec, *tested_sizes(printed), footnotes, tex.stem))
    facts = {"settings": json.loads(settings), "inputs": sums(scores)}
    write_json(csv.with_suffix(".json"), facts | {"sha256": sums(csv, every, tex)})


def _built(
    cells: pd.DataFrame, spec: TableSpec, reasons: dict[tuple[str, str], str]
) -> pd.DataFrame:
    """The table of one head."""
    subsets = paper = None
    if spec.subsets is not None:
        subsets = [parse_subset(name, tuple(spec.modalities)) for name in spec.subsets]
    if spec.paper_table is not None:
        paper = paper_cells(spec.paper_table)
        require_titles(list(spec.modalities.values()), paper)
    known = set(cells["metric"]) | set(spec.metrics)
    return build_table(
        cells,
        spec.methods,
        spec.modalities,
        paper,
        subsets,
        spec.decimals,
        reasons,
        [metric for metric in METRICS if metric in known],
        spec.scored,
    )


def _without_head(cells: pd.DataFrame, spec: TableSpec) -> dict[tuple[str, str], str]:
    """Why methods have no row under the one head of the full set."""
    names = map(subset_name, spec.subsets_scored)
    absent = [m for m in spec.methods if m not in set(cells["method"])]
    why = "its embeddings differ in meaning from subset to subset: no head serves all"
    return {(m, name): why for name in [*names, AS_RECORDED] for m in absent}


def _scores_of(spec: TableSpec, path: Path) -> pd.DataFrame:
    scores = read_scores(path)
    here = scores[scores["dataset"] == spec.dataset]
    if here.empty:
        raise DataError(
            f"no scores of data set {spec.dataset!r}",
            where=path,
            do=nearest(spec.dataset, set(scores["dataset"])),
        )
    here = here[here["method"].isin(list(spec.methods))]
    if spec.head not in set(here["head"]):
        raise DataError(
            f"no scores of head {spec.head!r} for these methods",
            where=path,
            do=nearest(spec.head, set(here["head"])),
        )
    return here
