"""Label efficiency: scores against the number of labelled subjects that heads are fitted on.

Embeddings stay as they are, and the models were trained without labels on all pretraining subjects:
only labels become few. Subjects are drawn, the same for every method; within a draw, those of a
smaller number are among those of a larger.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from physiome.config.evaluation import FewLabelsSpec, ProbeSpec
from physiome.evaluation.bootstrap import draw, known_mean, subjects_interval
from physiome.evaluation.embeddings import Embeddings
from physiome.evaluation.gains import fold_scores
from physiome.evaluation.heads import Labelled, fit_logistic, why_unfit
from physiome.evaluation.probe import labelled
from physiome.subsets import Subset, subset_name

KEYS = ["labelled", "everyone", "draw", "subset", "metric", "tested"]
COLUMNS = ["dataset", "method", "labelled", "subset", "metric", "score", "low", "high", "draws",
           "folds"]  # fmt: skip
MEAN = "mean_of_proper_subsets"


def numbers_labelled(subjects: int) -> list[int]:
    """One, two, four, ... and all of them; a power of two just below all is left out.

    Example:
        >>> numbers_labelled(11)
        [1, 2, 4, 8, 11]
        >>> numbers_labelled(9)
        [1, 2, 4, 9]
    """
    return [*(2**k for k in range(subjects.bit_length()) if 2**k < 0.8 * subjects), subjects]


def draws(subjects: Sequence[str], times: int, seed: Sequence[int]) -> Iterator[tuple[int, list]]:
    """(draw, who) of every number of subjects; all of them are drawn once."""
    names, rng = sorted(set(subjects)), np.random.default_rng(list(seed))
    for number in range(times):
        order = [names[i] for i in rng.permutation(len(names))]
        for count in numbers_labelled(len(names)):
            if count < len(names) or number == 0:
                yield number, order[:count]


def score_few_labels(embeddings: Embeddings, spec: FewLabelsSpec, workers: int = 1) -> pd.DataFrame:
    """Scores of the test windows that carry every modality, by heads of few subjects.

    Where a draw teaches no head (one class only) there is no row, and none at all where no test
    window carries every modality.

    Returns:
        labelled (subjects), everyone (they are all there are), draw, subset, metric (auc,
        balanced_acc), tested (test subjects), and value: (1 + R,) the score itself, then those of
        test subjects drawn with replacement.
    """
    facts = embeddings.facts
    labels = embeddings.labels(["train"])["label"]
    train = embeddings.windows[embeddings.windows["role"] == "train"]
    seed = (spec.seed, facts.fold)
    tested = not embeddings.carrying(embeddings.modalities, "test").empty
    jobs = [
        delayed(_score)(embeddings, subset, labels, number, who, spec)
        for number, who in draws(train["subject"].tolist(), spec.draws, seed)
        for subset in embeddings.subsets
        if tested
    ]
    rows = [row for part in Parallel(n_jobs=workers)(jobs) for row in part]
    found = pd.DataFrame(rows, columns=["labelled", "draw", "subset", "metric", "tested", "value"])
    return found.assign(everyone=found["labelled"] == train["subject"].nunique())[[*KEYS, "value"]]


def _score(
    embeddings: Embeddings,
    subset: Subset,
    labels: pd.Series,
    number: int,
    who: list[str],
    spec: FewLabelsSpec,
) -> list[tuple]:
    data = labelled(embeddings, subset, labels)
    mine = np.isin(data.subjects, who)
    few = Labelled(data.x[mine], data.y[mine], data.subjects[mine], data.weights)
    probe = spec.probe if len(who) > 1 else one_strength(spec.probe)
    if why_unfit(few, embeddings.classes, probe):
        return []
    name = subset_name(subset)
    with threadpool_limits(1):
        head, _ = fit_logistic(few, embeddings.classes, probe, f"{embeddings.title} {name}")
    windows = embeddings.carrying(embeddings.modalities, "test")
    p = head.probabilities(embeddings.values(subset, windows))
    keys = pd.MultiIndex.from_frame(windows[["record", "number"]])
    y = embeddings.labels(["test"])["label"].reindex(keys).to_numpy(np.int64)
    table = pd.DataFrame({f"p{c}": p[:, c] for c in range(p.shape[1])})
    table = table.assign(label=y, subject=windows["subject"].to_numpy(str))
    tested = table["subject"].nunique()
    drawn = draw(tested, spec.resamples, (spec.seed, embeddings.facts.fold))
    scores = fold_scores(table, embeddings.classes, drawn)
    return [(len(who), number, name, metric, tested, value) for metric, value in scores.items()]


def one_strength(spec: ProbeSpec) -> ProbeSpec:
    """The middle of the grid: with one subject there is no other to choose a strength on."""
    grid = sorted(set(spec.strengths))
    return spec.model_copy(update={"strengths": (grid[len(grid) // 2],)})


def by_number(tables: pd.DataFrame, subsets: Sequence[str], seed: int = 0) -> pd.DataFrame:
    """The mean over folds, then draws, with the middle 95 % over drawn test subjects and draws.

    Args:
        tables: dataset, fold, method and the columns of `score_few_labels`, all folds and methods.
        subsets: those that are scored, the full set first; all others make up `MEAN`.
        seed: of drawing draws.

    Returns:
        `COLUMNS`, in percent; low and high are NaN where no fold has two test subjects. Where folds
        have different numbers of labelled subjects, that of everyone is the smallest of them, and
        only numbers count that a fold of so few draws as well: means are over the same folds.
        Folds and draws count that have the score, for `MEAN` of every one of its subsets.
    """
    rows = []
    everyone = tables.loc[tables["everyone"], "labelled"].min()
    drawn = [] if np.isnan(everyone) else numbers_labelled(int(everyone))[:-1]
    tables = tables[tables["everyone"] | tables["labelled"].isin(drawn)]
    tables = tables.assign(labelled=tables["labelled"].mask(tables["everyone"], everyone))
    tables = tables[np.array([not np.isnan(value[0]) for value in tables["value"]], bool)]
    keys = ["dataset", "method", "labelled", "metric"]
    for name, wanted in {subsets[0]: subsets[:1], MEAN: subsets[1:]}.items():
        mine = tables[tables["subset"].isin(wanted)]
        having = mine.groupby([*keys, "fold", "draw"])["subset"].transform("size")
        mine = mine[having == len(wanted)]
        for (dataset, method, number, metric), part in mine.groupby(keys, sort=False):
            values = _averaged(part, seed)
            folds, drawn = part["fold"].nunique(), part["draw"].nunique()
            tested = part.groupby("fold")["tested"].first().sum()
            ends = subjects_interval(values[1:], tested, folds)
            score = [100 * v for v in (values[0], *ends)]
            rows.append((dataset, method, number, name, metric, *score, drawn, folds))
    return pd.DataFrame(rows, columns=COLUMNS)


def _averaged(part: pd.DataFrame, seed: int) -> np.ndarray:
    """(1 + R,) over subsets, folds and draws, draws drawn with replacement but for the first."""
    means = [
        known_mean(
            np.stack(
                [known_mean(np.stack(list(fold["value"]))) for _, fold in drawn.groupby("fold")]
            )
        )
        for _, drawn in part.groupby("draw")
    ]
    by_draw = np.stack(means)  # (draws, 1 + R)
    count = len(by_draw)
    rng = np.random.default_rng([seed, count])
    weights = rng.multinomial(count, np.full(count, 1 / count), size=by_draw.shape[1]) / count
    weights[0] = 1 / count
    return np.einsum("rd,dr->r", weights, by_draw)
