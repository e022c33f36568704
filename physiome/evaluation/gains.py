"""What training gained: a system's scores minus those of its own untrained weights.

Every fold has a head of its own, so probabilities of two folds are never ranked together: a score
is taken fold by fold, then averaged over the folds, then over the seeds. The interval is a paired
bootstrap over both: test subjects are drawn within each fold, the same for both systems and for
every seed, and seeds are drawn as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from physiome.evaluation.bootstrap import count, known_mean, resampled_auc, subjects_interval
from physiome.evaluation.metrics import NAN, window_metrics

Key = tuple[str, str]  # subset, metric
Folds = Mapping[int, Mapping[Key, np.ndarray]]  # fold -> key -> (1 + R,): the score, and resampled


@dataclass(frozen=True)
class Gain:
    """Scores in fractions; `untrained`, `difference`, `low` and `high` are NaN without a twin."""

    untrained: float
    trained: float
    difference: float
    low: float
    high: float
    seeds: int
    folds: int  # of them the fewest of a seed and a key
    subjects: int  # tested in these folds


def fold_scores(
    table: pd.DataFrame, classes: Sequence[str], drawn: np.ndarray
) -> dict[str, np.ndarray]:
    """Metric -> (1 + R,) of one subset of one fold: the score itself, then those of the resamples.

    auc and balanced_acc (the mean recall of the classes that occur); r2 of the dense target, where
    `table` has its columns target and predicted. NaN where undefined.

    Args:
        table: subject, label, p0 ... of the test windows.
        drawn: (R, S) how often each of the subjects, sorted, is drawn.
    """
    y = table["label"].to_numpy(np.int64)
    p = table[[f"p{c}" for c in range(len(classes))]].to_numpy(np.float64)
    once = np.vstack([np.ones(drawn.shape[1]), drawn])  # (1 + R, S): first, everybody once
    counts = count(table["subject"], y, p)
    auc = np.append(window_metrics(y, p, classes)["auc"], resampled_auc(counts, drawn))
    found = {"auc": auc, "balanced_acc": _balanced(table["subject"], y, p, once)}
    if "predicted" in table:
        target = table["target"].to_numpy(np.float64)
        found["r2"] = _r2(table["subject"], target, table["predicted"].to_numpy(), once)
    return found


def _balanced(subjects: pd.Series, y: np.ndarray, p: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    names, who = np.unique(subjects.to_numpy(str), return_inverse=True)
    right = p.argmax(axis=1) == y
    recalls = []
    for c in range(p.shape[1]):
        mine = drawn @ np.bincount(who[y == c], minlength=len(names))
        both = drawn @ np.bincount(who[(y == c) & right], minlength=len(names))
        recalls.append(np.divide(both, mine, out=np.full(len(drawn), NAN), where=mine > 0))
    return known_mean(np.stack(recalls))


def _r2(subjects: pd.Series, y: np.ndarray, said: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """1 - SSE / SST about the mean of the drawn test windows themselves."""
    names, who = np.unique(subjects.to_numpy(str), return_inverse=True)
    y, said = y - y.mean(), said - y.mean()  # a sum of squares of pressures would lose digits

    def total(values: np.ndarray) -> np.ndarray:
        return drawn @ np.bincount(who, weights=values, minlength=len(names))

    about_mean = total(y**2) - total(y) ** 2 / total(np.ones(len(y)))
    ratio = np.divide(
        total((y - said) ** 2), about_mean, out=np.full(len(drawn), NAN), where=about_mean > 0
    )
    return 1 - ratio


def gain(
    trained: Mapping[int, Folds],
    untrained: Mapping[int, Folds] | None,
    keys: Sequence[Key],
    subjects: Mapping[int, int],
    seed: int = 0,
) -> Gain | None:
    """The mean over `keys`, trained and untrained, and their difference with its 95 % interval.

    Args:
        trained, untrained: seed -> folds; only seeds and folds that both have count.
        keys: one subset, or all that a mean is over; None unless every one has a score.
        subjects: fold -> how many were drawn from; without two in any fold there is no interval.
        seed: of drawing seeds.
    """
    systems = [trained] if untrained is None else [trained, untrained]
    common = [s for s in trained if all(s in system for system in systems)]
    sums, sizes, used = [], [], set()  # sums: of each seed (systems, 1 + R)
    for s in common:
        pair = [system[s] for system in systems]
        each = [[f for f in pair[0] if all(_defined(one, f, key) for one in pair)] for key in keys]
        if not all(each):
            return None
        sizes += [(len(own), sum(subjects[f] for f in own)) for own in each]
        used.update(*each)
        sums.append(
            np.array(
                [
                    [
                        known_mean(np.stack([one[f][key] for f in own]))
                        for key, own in zip(keys, each, strict=True)
                    ]
                    for one in pair
                ]
            ).mean(axis=1)
        )
    if not sums:
        return None
    by_seed = np.stack(sums)  # (seeds, systems, 1 + R)
    rng, n = np.random.default_rng([seed, len(sums)]), len(sums)
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=by_seed.shape[2]) / n  # (1 + R, seeds)
    drawn[0] = 1 / n
    values = np.einsum("rs,smr->mr", drawn, by_seed)
    fewest = map(min, zip(*sizes, strict=True))
    if untrained is None:
        return Gain(NAN, float(values[0, 0]), NAN, NAN, NAN, n, *fewest)
    difference = values[0] - values[1]
    low, high = subjects_interval(difference[1:], sum(subjects[f] for f in used), len(used))
    return Gain(
        float(values[1, 0]), float(values[0, 0]), float(difference[0]), low, high, n, *fewest
    )


def _defined(folds: Folds, fold: int, key: Key) -> bool:
    return fold in folds and key in folds[fold] and not np.isnan(folds[fold][key][0])
