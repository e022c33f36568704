"""Class probabilities of a recording's windows, each by the head of the modalities it carries."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from physiome.errors import DataError
from physiome.evaluation.context import Whole
from physiome.evaluation.embed import embed_subsets
from physiome.evaluation.heads import LinearHead
from physiome.methods.base import Method
from physiome.subsets import Subset, subset_name

UNUSED, NO_HEAD = "not asked for", "no head for"


def predict_windows(
    method: Method,
    rows: Mapping[str, np.ndarray],
    windows: pd.DataFrame,
    heads: Mapping[str, LinearHead],
    classes: Sequence[str],
    refused: Mapping[str, str],
    batch: int,
    whole: Whole | None = None,
) -> pd.DataFrame:
    """Score every window from what it carries, as the evaluation scores test windows.

    Where no head was fitted for all that a window carries, it is scored from the largest part that
    has one.

    Args:
        method: with its weights, in evaluation mode.
        rows: modality -> (W, T), of the modalities in use.
        windows: one row per window with has_<m> and lost_<m>, as `cut_windows` makes it.
        heads: by subset name.
        refused: subset name -> why the method cannot embed it.
        whole: heads see the whole recording so: give it.

    Returns:
        window, onset_s, subset (used), missing (`modality: reason; ...`), reason (why there is no
        prediction; "" if there is one), class ("" if none), p_<class> (NaN if none).

    Raises:
        DataError: an embedding is not finite, or does not fit its head.
    """
    has = {m: windows[f"has_{m}"].to_numpy(dtype=bool) for m in rows}
    carried = [
        tuple(m for m in method.modalities if m in has and has[m][w]) for w in range(len(windows))
    ]
    used = {s: _largest_known(s, heads, refused) for s in set(carried)}
    own = [used[s] for s in carried]
    p = np.full((len(windows), len(classes)), np.nan, np.float32)
    reasons = {s: _unscorable(s, heads, refused) for s in set(own)}
    for subset in sorted(s for s, reason in reasons.items() if not reason):
        head, places = heads[subset_name(subset)], _places(own, subset)
        carrying = np.flatnonzero(np.all([has[m] for m in subset], axis=0))
        seen = _embedded(method, rows, places if whole is None else carrying, subset, batch)
        for chosen, x in seen if whole is None else _of_all(seen, windows["onset_s"], whole):
            _require_fit(x, subset, head)
            mine = np.isin(chosen, places)
            p[chosen[mine]] = head.probabilities(x[mine])
    scored = ~np.isnan(p[:, 0])
    best = np.where(scored, np.nan_to_num(p).argmax(axis=1), -1)
    table = pd.DataFrame(
        {
            "window": windows["number"],
            "onset_s": windows["onset_s"],
            "subset": [subset_name(s) for s in own],
            "missing": _missing(method, windows, carried, own),
            "reason": [reasons[s] for s in own],
            "class": np.array([*classes, ""])[best],
        }
    )
    return table.assign(**{f"p_{name}": p[:, i] for i, name in enumerate(classes)})


def restored_modalities(
    method: Method, rows: Mapping[str, np.ndarray], windows: pd.DataFrame, subset: Subset
) -> list[str]:
    """The missing modalities that the method rebuilds from a subset; none for most methods."""
    if not method.restores or not subset or len(subset) == len(method.modalities):
        return []
    carried = np.all([windows[f"has_{m}"] for m in subset], axis=0)
    first = np.flatnonzero(carried)[:1]
    with torch.no_grad():
        encoded = method.encode(_tensors(method, {m: rows[m][first] for m in subset}))
        return sorted(method.restore(encoded))


def _unscorable(subset: Subset, heads: Mapping[str, LinearHead], refused: Mapping[str, str]) -> str:
    """Why windows of this subset get no prediction; "" if they do."""
    name = subset_name(subset)
    if not subset:
        return "no usable modality"
    if name in refused:
        return f"the method refuses {name}: {refused[name]}"
    if name not in heads:
        return f"{NO_HEAD} {name}; there are {', '.join(heads)}"
    return ""


def _places(own: Sequence[Subset], subset: Subset) -> np.ndarray:
    return np.array([i for i, s in enumerate(own) if s == subset])


def _largest_known(
    carried: Subset, heads: Mapping[str, LinearHead], refused: Mapping[str, str]
) -> Subset:
    """What windows are scored from: all they carry, or the largest part of it that has a head."""
    name = subset_name(carried)
    if name in heads or name in refused:
        return carried
    parts = [tuple(known.split("+")) for known in heads]
    return max((part for part in parts if set(part) <= set(carried)), key=len, default=carried)


def _missing(
    method: Method, windows: pd.DataFrame, carried: Sequence[Subset], own: Sequence[Subset]
) -> list[str]:
    unused = pd.Series(UNUSED, index=windows.index)
    why = {m: windows.get(f"lost_{m}", unused).tolist() for m in method.modalities}

    def reason(m: str, w: int) -> str:
        return f"{NO_HEAD} {subset_name(carried[w])}" if m in carried[w] else why[m][w]

    return [
        "; ".join(f"{m}: {reason(m, w)}" for m in method.modalities if m not in subset)
        for w, subset in enumerate(own)
    ]


def _tensors(method: Method, rows: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    device = method.device
    return {m: torch.from_numpy(x).to(device) for m, x in rows.items()}


def _embedded(
    method: Method,
    rows: Mapping[str, np.ndarray],
    places: np.ndarray,
    subset: Subset,
    batch: int,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Windows at a time: which of `places` they are, and their embeddings (b, D)."""
    for start in range(0, len(places), batch):
        chosen = places[start : start + batch]
        signals = _tensors(method, {m: rows[m][chosen] for m in subset})
        x = embed_subsets(method, signals, [subset])[subset].float().cpu().numpy()
        _require_finite(x, subset)
        yield chosen, x


def _of_all(
    parts: Iterable[tuple[np.ndarray, np.ndarray]], onset_s: pd.Series, whole: Whole
) -> list[tuple[np.ndarray, np.ndarray]]:
    """All windows in one part, as heads see them that see the whole recording."""
    chosen, x = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return [(chosen, whole(x, onset_s.to_numpy(float)[chosen]))]


def _require_fit(x: np.ndarray, subset: Subset, head: LinearHead) -> None:
    if x.shape[1] != len(head.mean):
        raise DataError(
            f"the head of {subset_name(subset)} does not fit the method",
            why=f"it wants {len(head.mean)} values, the method gives {x.shape[1]}",
            do="give heads that were fitted on these weights",
        )


def _require_finite(x: np.ndarray, subset: Subset) -> None:
    if not np.isfinite(x).all():
        raise DataError(
            f"embeddings of {subset_name(subset)} are not finite",
            why="the weights or the recording hold values no training has seen",
            do="look at the model's training curve",
        )
