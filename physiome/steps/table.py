"""Write one table of results as CSV (all heads) and LaTeX (one head)."""

import json
from pathlib import Path

import pandas as pd

from physiome.config.metrics import METRICS
from physiome.config.report import TableSpec
from physiome.errors import DataError, nearest
from physiome.files import atomic_path, sums, write_json, write_text
from physiome.reporting.ablation_latex import variants_to_latex
from physiome.reporting.counts import cell_counts, tested_sizes
from physiome.reporting.latex import to_latex
from physiome.reporting.notes import read_notes
from physiome.reporting.paper import paper_cells, require_titles
from physiome.reporting.scores import read_scores
from physiome.reporting.tables import build_table, wide
from physiome.subsets import AS_RECORDED, parse_subset, subset_name

ONE_HEAD = "one_head"  # what the probe calls the head that serves every subset


def run(settings: str, scores: Path, csv: Path, tex: Path) -> None:
    """Build the table.

    Args:
        settings: a TableSpec as JSON.
        scores: scores of all folds and methods; reasons for missing ones and footnotes, if any, in
            the `.notes.json` of the scores step beside it.
        csv: output with every head, metric and count, machine-friendly; `<csv>.json` (which shares
            its stem) notes the settings and the sums of what was read and written.
        tex: output with the head and the metrics of the settings.

    Raises:
        DataError: if there are no scores of the data set or of the head.
    """
    spec = TableSpec.parse_text(settings, "table")
    found = _scores_of(spec, scores)
    subsets = None
    if spec.subsets is not None:
        subsets = [parse_subset(name, tuple(spec.modalities)) for name in spec.subsets]
    paper = None
    if spec.paper_table is not None:
        paper = paper_cells(spec.paper_table)
        require_titles(list(spec.modalities.values()), paper)
    reasons, footnotes = read_notes(Path(scores), spec.dataset)
    known = set(found["metric"]) | set(spec.metrics)
    metrics = [metric for metric in METRICS if metric in known]
    to_tex = variants_to_latex if spec.layout == "variants" else to_latex
    parts, printed = [], ""
    for head, cells in found.groupby("head", sort=False):
        told = reasons | _without_head(cells, spec) if head == ONE_HEAD else reasons
        table = build_table(
            cells,
            spec.methods,
            spec.modalities,
            paper,
            subsets,
            spec.decimals,
            told,
            metrics,
            spec.scored,
        )
        counts = cell_counts(cells, spec.subsets_scored)
        parts.append(wide(table, spec, str(head), counts, footnotes))
        if head == spec.head:
            printed = to_tex(table, spec, *tested_sizes(cells), footnotes)
    with atomic_path(csv) as temporary:
        pd.concat(parts).to_csv(temporary, index=False)
    write_text(tex, printed)
    facts = {"settings": json.loads(settings), "inputs": sums(scores), "sha256": sums(csv, tex)}
    write_json(csv.with_suffix(".json"), facts)


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
