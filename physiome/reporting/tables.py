"""Tables of results: means over folds, what is lost with modalities, the paper's figures beside.

Everything is in percent. The last row is the paper's "Mean Absolute Value": the mean over the
proper subsets and, as its drop, the mean of |full - subset| over the same subsets.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from physiome.config.metrics import METRICS, PRINTED
from physiome.config.report import MethodEntry
from physiome.reporting.paper import DROP, MEAN, paper_method, paper_subset
from physiome.subsets import AS_RECORDED, Subset, named_subsets, subset_name

MAJORITY = "majority"  # the control that knows the class shares alone
ROBUSTNESS = "mean_of_proper_subsets"


def difference_text(difference: float, low: float, high: float, digits: int = 1) -> str:
    """`+8.9 (1.4, 16.7)`; without brackets where there is no interval."""
    text = f"{difference:+.{digits}f}"
    if pd.isna(low):
        return text
    return f"{text} ({low:.{digits}f}, {high:.{digits}f})"


def build_table(
    cells: pd.DataFrame,
    methods: Mapping[str, MethodEntry],
    modalities: Mapping[str, str],
    paper: pd.DataFrame | None = None,
    subsets: Sequence[Subset] | None = None,
    decimals: int = 2,
    reasons: Mapping[tuple[str, str], str] | None = None,
    metrics: Sequence[str] = PRINTED,
    scored: Sequence[str] | None = None,
) -> pd.DataFrame:
    """One row per subset, method and metric, in the order of the printed table.

    Args:
        cells: subset, method, metric, fold, value (a fraction); a fold that failed may be absent or
            NaN.
        methods: name -> title and scope, in order.
        modalities: name -> title, in order.
        paper: `paper_cells(...)`, or None.
        subsets: the rows; None: all that are scored.
        decimals: of the printed table; marks are given to what prints as best.
        reasons: (method, subset) -> why there is no score, for the note.
        metrics: of METRICS.
        scored: names of the subsets that are scored; None: all there are.

    Returns:
        subset, method, metric, mean, sd (over folds, ddof=1), folds, drop (|full - subset|, of
        means over the folds of both), paper, paper_drop, note, and the marks bold, underline, blue.
        In percent.
    """
    every = [subset_name(s) for s in named_subsets(scored, tuple(modalities))]
    shown = every if subsets is None else [subset_name(s) for s in subsets]
    if subsets is None and _has_as_recorded(cells):
        shown = [*shown, AS_RECORDED]
    table = _means(cells, methods, shown, reasons or {}, metrics)
    full = subset_name(modalities)
    table["drop"] = _drops(table, cells, full)
    table = pd.concat([table, _robustness(table, methods, every)], ignore_index=True)
    table = _with_paper(table, methods, modalities, paper, full)
    return _with_marks(table, methods, decimals)


def _has_as_recorded(cells: pd.DataFrame) -> bool:
    return bool((cells["subset"] == AS_RECORDED).any())


def _means(
    cells: pd.DataFrame,
    methods: Mapping[str, Any],
    rows: list[str],
    reasons: Mapping[tuple[str, str], str],
    metrics: Sequence[str],
) -> pd.DataFrame:
    expected = cells["fold"].nunique()
    values = {
        key: 100 * group.dropna()
        for key, group in cells.groupby(["subset", "method", "metric"])["value"]
        if key[2] in metrics
    }
    found = []
    for subset in rows:
        for method in methods:
            for metric in metrics:
                of_folds = values.get((subset, method, metric))
                row: dict[str, Any] = {"subset": subset, "method": method, "metric": metric}
                if of_folds is None:
                    row |= {"folds": 0, "note": "no score"}
                else:
                    row |= {"mean": of_folds.mean(), "sd": of_folds.std(ddof=1)}
                    row |= {"folds": len(of_folds), "note": ""}
                    if len(of_folds) == 0:
                        row["note"] = "undefined in every fold"
                    elif len(of_folds) < expected:
                        row["note"] = f"{len(of_folds)} of {expected} folds"
                reason = reasons.get((method, subset))
                if reason and row["note"]:
                    row["note"] = reason if row["folds"] == 0 else f"{row['note']}: {reason}"
                found.append(row)
    columns = ["subset", "method", "metric", "mean", "sd", "folds", "note"]
    return pd.DataFrame(found, columns=columns).astype({"mean": float, "sd": float})


def _drops(table: pd.DataFrame, cells: pd.DataFrame, full: str) -> pd.Series:
    """|full - subset| of each row, of means over the folds that have both, as folds differ.

    NaN for the full set and for what cannot be compared with a row of it.
    """
    keys, columns = ["method", "metric", "fold"], ["value", "whole"]
    whole = cells.loc[cells["subset"] == full, [*keys, "value"]].rename(columns={"value": "whole"})
    both = cells.merge(whole, on=keys).dropna(subset=columns)
    means = (100 * both[columns]).groupby([both[k] for k in ("subset", *keys[:2])]).mean()
    drops = (means["whole"] - means["value"]).abs()
    rows = pd.MultiIndex.from_frame(table[["subset", *keys[:2]]])
    drop = pd.Series(drops.reindex(rows).to_numpy(), table.index)
    shown = (table["subset"] == full).any()
    return drop.where(shown & ~table["subset"].isin([full, AS_RECORDED]))


def _robustness(
    table: pd.DataFrame, methods: Mapping[str, Any], scored: Sequence[str]
) -> pd.DataFrame:
    """The last row: a number only where every proper subset and the full set have one."""
    full, *proper = scored
    if not proper or not {full, *proper} <= set(table["subset"]):
        return table.iloc[:0]  # a table of chosen subsets has no such row
    found = []
    for method in methods:
        for metric in dict.fromkeys(table["metric"]):
            mine = table[(table["method"] == method) & (table["metric"] == metric)]
            part = mine[mine["subset"].isin(proper)]
            row = {"subset": ROBUSTNESS, "method": method, "metric": metric, "note": ""}
            needed = mine["subset"].isin([full, *proper])
            missing = list(mine.loc[needed & mine["mean"].isna(), "subset"])
            if missing:
                found.append({**row, "folds": 0, "note": f"no score for {', '.join(missing)}"})
                continue
            means = {"mean": part["mean"].mean(), "drop": part["drop"].mean()}
            found.append({**row, **means, "folds": int(part["folds"].min())})
    return pd.DataFrame(found, columns=table.columns).astype({"mean": float, "drop": float})


def _with_paper(
    table: pd.DataFrame,
    methods: Mapping[str, MethodEntry],
    modalities: Mapping[str, str],
    paper: pd.DataFrame | None,
    full: str,
) -> pd.DataFrame:
    table = table.assign(paper=float("nan"), paper_drop=float("nan"))
    if paper is None:
        return table
    known = paper.set_index(["method", "subset", "metric"])["value"].to_dict()
    for at, row in table.iterrows():
        method = paper_method(methods[row["method"]].title, paper)
        if row["subset"] == ROBUSTNESS:
            keys = {"paper": MEAN, "paper_drop": DROP}
        elif row["subset"] == AS_RECORDED:
            continue
        else:
            keys = {"paper": paper_subset([modalities[m] for m in row["subset"].split("+")])}
        for column, key in keys.items():
            table.loc[at, column] = known.get((method, key, row["metric"]), float("nan"))
        if row["subset"] not in (ROBUSTNESS, full):
            whole = known.get((method, paper_subset(list(modalities.values())), row["metric"]))
            if whole is not None:
                table.loc[at, "paper_drop"] = abs(whole - table.loc[at, "paper"])
    return table


def _with_marks(
    table: pd.DataFrame, methods: Mapping[str, MethodEntry], decimals: int
) -> pd.DataFrame:
    """bold: best single model of a row; underline: best of single and dedicated; blue: least drop.

    The best is the highest, or the lowest where less is better. Controls and models that learned
    from labels take no mark, and nothing is best that is no better than the majority class, but for
    errors.
    """
    scope = table["method"].map({name: entry.scope for name, entry in methods.items()})
    keys = [table["subset"], table["metric"]]
    sign = table["metric"].map({m: -1 if n.less_is_better else 1 for m, n in METRICS.items()})

    def best(values: pd.Series, among: pd.Series, sign: pd.Series | int) -> pd.Series:
        shown = sign * _printed(values, decimals).where(among)
        return shown.notna() & (shown == shown.groupby(keys).transform("max"))

    beats = _beats_majority(table, sign, decimals)
    return table.assign(
        bold=best(table["mean"], (scope == "single") & beats, sign),
        underline=best(table["mean"], scope.isin(["single", "dedicated"]) & beats, sign),
        blue=best(table["drop"], scope == "single", -1),
    )


def _printed(values: pd.Series, decimals: int) -> pd.Series:
    """As they are printed; numpy rounds some means that lie halfway between two to the other."""
    return values.map(lambda value: round(float(value), decimals))


def _beats_majority(table: pd.DataFrame, sign: pd.Series, decimals: int) -> pd.Series:
    """Which cells are better than the majority class in their row; all where it is not shown.

    And all of errors: the classes' shares are well calibrated and tell no window from another.
    """
    shown = sign * _printed(table["mean"], decimals)
    keys = ["subset", "metric"]
    known = table.assign(shown=shown)[table["method"] == MAJORITY].set_index(keys)["shown"]
    floor = known.reindex(pd.MultiIndex.from_frame(table[keys])).to_numpy()
    return pd.Series(~((shown.to_numpy() <= floor) & (sign == 1).to_numpy()), index=table.index)
