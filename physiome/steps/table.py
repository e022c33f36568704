"""Write one table of results as CSV (all heads) and LaTeX (one head)."""

from pathlib import Path

import pandas as pd

from physiome.errors import DataError, nearest
from physiome.files import atomic_path, read_json, write_text
from physiome.reporting.ablation_latex import variants_to_latex
from physiome.reporting.latex import to_latex
from physiome.reporting.paper import paper_cells, require_titles
from physiome.reporting.scores import NOTES, read_scores
from physiome.reporting.tables import METRICS, TableSpec, build_table, wide
from physiome.subsets import AS_RECORDED, all_subsets, parse_subset, subset_name

ONE_HEAD = "one_head"  # what the probe calls the head that serves every subset


def run(settings: str, scores: Path, csv: Path, tex: Path) -> None:
    """Build the table.

    Args:
        settings: a TableSpec as JSON.
        scores: scores of all folds and methods; reasons for missing ones, if any, in the
            `.notes.json` of the scores step beside it.
        csv: output with every head, machine-friendly.
        tex: output with the head of the settings.

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
    reasons = _reasons(spec, Path(scores))
    to_tex = variants_to_latex if spec.layout == "variants" else to_latex
    parts, printed = [], ""
    for head, cells in found.groupby("head", sort=False):
        told = reasons | _without_head(cells, spec) if head == ONE_HEAD else reasons
        table = build_table(
            cells, spec.methods, spec.modalities, paper, subsets, spec.decimals, told
        )
        parts.append(wide(table, spec, str(head)))
        if head == spec.head:
            printed = to_tex(table, spec, *tested_sizes(cells))
    with atomic_path(csv) as temporary:
        pd.concat(parts).to_csv(temporary, index=False)
    write_text(tex, printed)


def tested_sizes(cells: pd.DataFrame) -> tuple[int, int, int]:
    """Test windows and subjects summed over folds, and the number of folds."""
    compared = cells[(cells["metric"] == "acc") & (cells["subset"] != AS_RECORDED)]
    sizes = compared.groupby("fold")[["windows", "subjects"]].max().sum()
    return int(sizes["windows"]), int(sizes["subjects"]), compared["fold"].nunique()


def _reasons(spec: TableSpec, scores: Path) -> dict[tuple[str, str], str]:
    """(method, subset) -> why there is no score."""
    path = scores.with_suffix(NOTES)
    notes = read_json(path) if path.exists() else {}
    prefix = f"{spec.dataset}/"
    told = {key.removeprefix(prefix): why for key, why in notes.items() if key.startswith(prefix)}
    return {(key.rpartition("/")[0], key.rpartition("/")[2]): why for key, why in told.items()}


def _without_head(cells: pd.DataFrame, spec: TableSpec) -> dict[tuple[str, str], str]:
    """Why methods have no row under the one head of the full set."""
    names = [subset_name(subset) for subset in all_subsets(tuple(spec.modalities))]
    absent = [m for m in spec.methods if m not in set(cells["method"])]
    why = "its embeddings differ in meaning from subset to subset: no head serves all"
    return {(m, name): why for m in absent for name in [*names, AS_RECORDED]}


def _scores_of(spec: TableSpec, path: Path) -> pd.DataFrame:
    scores = read_scores(path)
    here = scores[scores["dataset"] == spec.dataset]
    if here.empty:
        raise DataError(
            f"no scores of data set {spec.dataset!r}", where=path,
            do=nearest(spec.dataset, set(scores["dataset"])),
        )  # fmt: skip
    here = here[here["method"].isin(list(spec.methods)) & here["metric"].isin(METRICS)]
    if spec.head not in set(here["head"]):
        raise DataError(
            f"no scores of head {spec.head!r} for these methods", where=path,
            do=nearest(spec.head, set(here["head"])),
        )  # fmt: skip
    return here
