"""Linear evaluation: heads per subset of modalities, fitted on train subjects, tested on others.

Fitting (`fit_heads`) and testing (`predict`) are two functions, and only the second reads the
labels of test windows: no choice can depend on them.
"""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from physiome.config.evaluation import ProbeSpec
from physiome.errors import DataError
from physiome.evaluation.centred import less_own_mean
from physiome.evaluation.context import with_neighbours
from physiome.evaluation.embeddings import Embeddings
from physiome.evaluation.heads import Labelled, fit_logistic, why_unfit
from physiome.evaluation.heads_file import CENTRED, CONTEXT, KINDS, LOGISTIC
from physiome.subsets import AS_RECORDED, Subset, subset_name

PAPER, ONE_HEAD = "paper", "one_head"


class Head(Protocol):
    """Anything that turns embeddings into class probabilities."""

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """(n, D) -> (n, C)."""
        ...


@dataclass(frozen=True)
class SubsetHeads:
    """The heads of one subset, the choices made for them, and on how many windows."""

    subset: Subset
    heads: dict[str, Head]
    choices: dict[str, dict[str, Any]]
    sizes: dict[str, int]
    reason: str = ""  # why the subset has no head of its own


def fit_heads(embeddings: Embeddings, spec: ProbeSpec, workers: int = 1) -> list[SubsetHeads]:
    """Fit every head of every subset on the labelled (train) windows.

    A subset whose labelled windows teach nothing gets no head, and the reason.

    Args:
        workers: subsets fitted at the same time, in processes; the result does not depend on it.

    Raises:
        DataError: labels or embeddings that cannot be.
    """
    labels = embeddings.labels(["train"])["label"]
    jobs = [delayed(_fit_subset)(embeddings, subset, labels, spec) for subset in embeddings.subsets]
    return list(Parallel(n_jobs=min(workers, len(jobs)))(jobs))


def _fit_subset(
    embeddings: Embeddings, subset: Subset, labels: pd.Series, spec: ProbeSpec
) -> SubsetHeads:
    where = f"{embeddings.title} {subset_name(subset)}"
    data = labelled(embeddings, subset, labels)
    sizes = {"train": len(data.y), "width": data.x.shape[1]}
    reason = why_unfit(data, embeddings.classes, spec)
    if reason:
        return SubsetHeads(subset, {}, {}, sizes, reason)
    heads: dict[str, Head] = {}
    choices = {}
    with threadpool_limits(1):  # sums in one order, whatever the machine or `workers`
        for kind, x in _seen(data.x, embeddings.carrying(subset, "train"), spec).items():
            weights = np.tile(embeddings.weights(subset), x.shape[1] // data.x.shape[1])
            own = data._replace(x=x, weights=weights)
            heads[kind], choices[kind] = fit_logistic(own, embeddings.classes, spec, where)
    if spec.paper_head is not None:
        from physiome.evaluation.paper_head import fit_paper_head  # imports torch

        heads[PAPER], choices[PAPER] = fit_paper_head(
            data, embeddings.classes, spec.paper_head, spec.seed, where
        )
    return SubsetHeads(subset, heads, choices, sizes)


def _seen(x: np.ndarray, windows: pd.DataFrame, spec: ProbeSpec) -> dict[str, np.ndarray]:
    """Kind of linear head -> what it is given of the embeddings (n, D) of these windows."""
    found = {LOGISTIC: x}
    if spec.centred is not None:
        found[CENTRED] = less_own_mean(x, windows[spec.centred].to_numpy(str))
    if spec.reach_s is not None:
        place = windows["record"].to_numpy(str), windows["onset_s"].to_numpy(float)
        found[CONTEXT] = with_neighbours(found[CENTRED], *place, spec.reach_s)
    return found


def labelled(embeddings: Embeddings, subset: Subset, labels: pd.Series) -> Labelled:
    """Embeddings, classes and subjects of the train windows that carry a subset.

    Args:
        labels: of all train windows, by (record, number).
    """
    windows = embeddings.carrying(subset, "train")
    keys = pd.MultiIndex.from_frame(windows[["record", "number"]])
    y = labels.reindex(keys).to_numpy(np.int64)
    x, who = embeddings.values(subset, windows), windows["subject"].to_numpy(str)
    return Labelled(x, y, who, embeddings.weights(subset))


def with_one_head(fitted: list[SubsetHeads], embeddings: Embeddings) -> list[SubsetHeads]:
    """Add the logistic head of the full set to every subset, where embeddings are comparable."""
    full = next((f for f in fitted if len(f.subset) == len(embeddings.modalities)), None)
    if full is None or full.reason or not embeddings.facts.comparable:
        return fitted
    shared = {ONE_HEAD: full.heads[LOGISTIC]}
    return [replace(f, heads={**f.heads, **shared}) for f in fitted]


def predict(embeddings: Embeddings, fitted: list[SubsetHeads], spec: ProbeSpec) -> pd.DataFrame:
    """Probabilities of every test window under every subset it carries.

    Args:
        spec: by which the heads were fitted.

    Returns:
        record, subject, number, onset_s, label, event, carried (the modalities that the window
        has, as a subset's name), complete (it has all), subset, head, p0 ... p{C-1}. If some test
        window is incomplete, the subset `as_recorded` holds every test window, scored by the head
        of the modalities it really has; it is left out for a head that some of them lack. No row at
        all where there is no head.
    """
    test = embeddings.windows[embeddings.windows["role"] == "test"]
    if test.empty:
        raise DataError("no test windows", where=embeddings.path, do="look at the folds")
    has = test[[f"has_{m}" for m in embeddings.modalities]].to_numpy()
    own = pd.Series([_carried(embeddings.modalities, row) for row in has], index=test.index)
    labels = embeddings.labels(["test"])
    tables = []
    for item in fitted:
        windows = embeddings.carrying(item.subset, "test")
        x = embeddings.values(item.subset, windows)
        described = _described(windows, labels, item.subset, own.loc[windows.index])
        described["complete"] = described["carried"] == subset_name(embeddings.modalities)
        seen = _seen(x, windows, spec)
        for head, fit in item.heads.items():
            p = fit.probabilities(seen.get(head, x))
            columns = {f"p{c}": p[:, c] for c in range(p.shape[1])}
            tables.append(described.assign(head=head, **columns))
    if not tables:
        return _no_predictions(test.iloc[:0], labels, own.iloc[:0], len(embeddings.classes))
    embedded = {subset_name(item.subset) for item in fitted}
    if not has.all() and set(own) - {""} <= embedded:
        tables += [_as_recorded(pd.concat(tables), int((own != "").sum()))]
    return pd.concat(tables, ignore_index=True)


def _no_predictions(
    none: pd.DataFrame, labels: pd.DataFrame, own: pd.Series, classes: int
) -> pd.DataFrame:
    """The columns of `predict` without a row."""
    p = {f"p{c}": np.empty(0, np.float32) for c in range(classes)}
    return _described(none, labels, (), own).assign(head="", **p)


def _carried(modalities: tuple[str, ...], has: np.ndarray) -> str:
    return subset_name(m for m, there in zip(modalities, has, strict=True) if there)


def _described(
    windows: pd.DataFrame, labels: pd.DataFrame, subset: Subset, carried: pd.Series
) -> pd.DataFrame:
    keys = pd.MultiIndex.from_frame(windows[["record", "number"]])
    told = labels.reindex(keys)
    return windows[["record", "subject", "number", "onset_s"]].assign(
        label=told["label"].to_numpy(),
        event=told["event"].to_numpy(bool),
        carried=carried,
        complete=False,
        subset=subset_name(subset),
    )


def _as_recorded(predicted: pd.DataFrame, expected: int) -> pd.DataFrame:
    """Of all predictions, those under exactly the modalities the window has: `expected` a head."""
    kept = predicted[predicted["subset"] == predicted["carried"]]
    kept = kept[kept.groupby("head")["head"].transform("size") == expected]
    return kept.assign(subset=AS_RECORDED).sort_values(["head", "record", "number"])


def empty_cells(
    embeddings: Embeddings, fitted: list[SubsetHeads], spec: ProbeSpec
) -> list[dict[str, str]]:
    """subset, head and reason of every prediction that is lacking because no head was fitted."""
    lacking = {subset_name(f.subset): f.reason for f in fitted if f.reason}
    fitted_if = {LOGISTIC: True, CENTRED: spec.centred, CONTEXT: spec.reach_s}
    fitted_if |= {PAPER: spec.paper_head}
    own_heads = [head for head, wanted in fitted_if.items() if wanted]
    cells = [(name, head, lacking[name]) for name in lacking for head in own_heads]
    full = lacking.get(subset_name(embeddings.modalities))
    if full and spec.one_head and embeddings.facts.comparable:
        why = f"no head of the full set: {full}"
        cells += [(subset_name(f.subset), ONE_HEAD, f.reason or why) for f in fitted]
    test = embeddings.windows[embeddings.windows["role"] == "test"]
    has = test[[f"has_{m}" for m in embeddings.modalities]].to_numpy()
    carried = {_carried(embeddings.modalities, row) for row in np.unique(has, axis=0)}
    if not has.all():
        why = "; ".join(f"{name}: {lacking[name]}" for name in sorted(carried & set(lacking)))
        cells += [(AS_RECORDED, head, why) for head in own_heads if why]
    return [dict(zip(("subset", "head", "reason"), cell, strict=True)) for cell in cells]


def notes(embeddings: Embeddings, fitted: list[SubsetHeads], spec: ProbeSpec) -> list[str]:
    """What a reader of the scores should know: doubtful or absent heads, absent classes."""
    found = []
    for item in fitted:
        name = subset_name(item.subset)
        if item.reason:
            found.append(f"{name}: {item.reason}")
            continue
        for head, choice in item.choices.items():
            for absent in choice["absent_classes"]:
                found.append(f"{name} {head}: class {absent} absent in train; its probability is 0")
        for head in KINDS:
            found += [f"{name} {head}: {doubt}" for doubt in _doubts(item.choices.get(head))]
    fitted_so = any(CENTRED in item.heads for item in fitted)
    if fitted_so and spec.centred and _of_one_class(embeddings, spec.centred):
        found.append(
            f"centred: every {spec.centred} is of one class throughout, so nothing is left to "
            "learn from; set probe.centred to subject if a subject has several, else to null"
        )
    test = embeddings.windows[embeddings.windows["role"] == "test"]
    counts = embeddings.labels(["test"])["label"].value_counts()
    for index, label in enumerate(embeddings.classes):
        if counts.get(index, 0) == 0:
            found.append(f"class {label} absent in test; its scores are undefined")
    carried = [test[[f"has_{m}" for m in f.subset]].all(axis=1) for f in fitted]
    lost = int((~np.any(carried, axis=0)).sum())
    if lost:
        found.append(f"{lost} of {len(test)} test windows carry no used modality")
    return found


def _of_one_class(embeddings: Embeddings, whose: str) -> bool:
    """Whether in the labelled windows of each record, or subject, one class alone occurs."""
    windows = embeddings.windows[embeddings.windows["role"] == "train"]
    keys = pd.MultiIndex.from_frame(windows[["record", "number"]])
    y = embeddings.labels(["train"])["label"].reindex(keys)
    of_each = y.groupby(windows[whose].to_numpy(str))
    return bool((of_each.min() == of_each.max()).all())


def _doubts(choice: dict[str, Any] | None) -> list[str]:
    """What speaks against the choice of a strength."""
    if choice is None:
        return []
    found = []
    stopped = [step["strength"] for step in choice["path"] if not step["converged"]]
    if stopped:
        found.append(f"not converged on the path at C {stopped}")
    if choice["edge"]:
        edge = f"C {choice['strength']:g} is the {choice['edge']} of probe.strengths"
        found.append(f"{edge}; a wider grid may give a better head")
    if not choice["converged"]:
        found.append("the final fit has not converged")
    return found
