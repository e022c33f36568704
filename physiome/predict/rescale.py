"""Another device's amplitudes: a recording's modalities scaled to vary as those of training."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from physiome.errors import PhysioError
from physiome.predict.trained import Trained
from physiome.subsets import Subset, parse_subset

ALL = "all"


def parse_rescale(asked: str | None, wanted: Sequence[str]) -> Subset:
    """The modalities to scale: those named, with commas, or all that are used.

    Raises:
        PhysioError: an unknown modality, or one that is not used.
    """
    if asked is None:
        return ()
    return tuple(wanted) if asked == ALL else parse_subset(asked.replace(",", "+"), wanted)


def rescaled(
    trained: Trained,
    rows: Mapping[str, np.ndarray],
    windows: pd.DataFrame,
    modalities: Sequence[str],
) -> tuple[dict[str, np.ndarray], pd.DataFrame, dict[str, float]]:
    """The recording with the sd of its middle window as in training, about the same mean.

    One factor for all windows and leads of a modality: what differs within the recording stays.

    Args:
        rows: modality -> (W, T), or (W, leads, T); what is lost may be anything.
        windows: with has_<m> and var_<m>.
        modalities: to scale; one that is lost everywhere, here or in training, or does not vary,
            stays as it is.

    Returns:
        rows and windows, changed, and modality -> factor.

    Raises:
        PhysioError: the model's heads do not say how its signals vary.
    """
    rows, windows, factors = dict(rows), windows.copy(), {}
    if modalities and not trained.spreads:
        raise PhysioError(
            f"no scale of {', '.join(modalities)} is known",
            why="the heads are of an older version",
            do="fit them again, or leave --rescale out",
        )
    for m in modalities:
        here = windows[f"has_{m}"].to_numpy(bool) if m in rows else np.zeros(0, bool)
        sd = float(np.sqrt(windows.loc[here, f"var_{m}"].median())) if here.any() else 0.0
        if m not in trained.spreads or not sd > 0:
            continue
        factors[m] = trained.spreads[m][1] / sd
        mean = np.nanmean(rows[m][here])
        rows[m] = (mean + factors[m] * (rows[m] - mean)).astype(rows[m].dtype)
        windows[f"var_{m}"] *= factors[m] ** 2
    return rows, windows, factors
