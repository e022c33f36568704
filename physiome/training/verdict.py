"""What is said at the end about a training: figures for the manifest, and what looks wrong."""

from collections.abc import Mapping, Sequence

import numpy as np

from physiome.training.contrasts import ACCURACY, CHANCE, contrast_names

Look = dict[str, float | None]  # None: the embeddings were not finite

STILL = 1e-6  # weights that moved by less of their size did not move
LINE = 1.5  # an effective rank below it: the embeddings lie on a line, or are one point
NEAR = 0.99  # of the level of chance: a contrast that has learnt nothing is at it or above


def verdict(
    before: Look | None,
    after: Look | None,
    recent: Sequence[Mapping[str, float]],
    standstill: str = "",
) -> dict[str, object]:
    """Figures and warnings.

    Args:
        before, after: looks at the first and at the last weights; None if there was none.
        recent: contrasts with their chance and accuracy, of the last steps.
        standstill: what there is to say of weights that no step moved; see `without_gradient`.

    Returns:
        before, after, difference (scores of the probe), contrasts (term -> level, chance and
        accuracy, averaged over the last steps) and warnings (texts; empty if nothing is wrong).
    """
    levels = contrast_levels(recent)
    difference = {
        name: last - first
        for name in ("auc", "balanced_acc")
        if (last := (after or {}).get(name)) is not None
        and (first := (before or {}).get(name)) is not None
    }
    texts = [] if before is None or after is None else _of_looks(before, after)
    texts += [standstill] if standstill else []
    texts += [
        f"{name} ends at chance: {c['level']:.3f}, chance is {c['chance']:.3f}"
        for name, c in levels.items()
        if c["level"] >= NEAR * c["chance"]
    ]
    return {
        "before": before,
        "after": after,
        "difference": difference or None,
        "contrasts": levels,
        "warnings": texts,
    }


def contrast_levels(recent: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Term -> level, chance and, where it is logged, accuracy: means over the steps that had it."""
    names = list(dict.fromkeys(name for terms in recent for name in contrast_names(terms)))
    parts = {"level": "", "chance": CHANCE, "accuracy": ACCURACY}
    return {
        name: {
            part: float(np.mean(values))
            for part, suffix in parts.items()
            if (values := [t[name + suffix] for t in recent if name + suffix in t])
        }
        for name in names
    }


def _of_looks(before: Look, after: Look) -> list[str]:
    texts = []
    rank, moved = after["effective_rank"], after["moved"]
    if moved is not None and moved < STILL:
        texts.append("its weights did not move")
    if rank is None:
        texts.append("its embeddings are not finite")
    elif rank == 0:
        texts.append("collapsed: all windows have the same embedding")
    elif rank < LINE:
        texts.append(f"collapsed: the embeddings lie on a line (effective rank {rank:.2f})")
    first, last = before.get("auc"), after.get("auc")
    # Of a start that cannot be beaten nothing is said.
    if first is not None and last is not None and last <= first and last < 1:
        texts.append(
            f"not above its start: AUC of a quick probe {100 * last:.1f} % after training, "
            f"{100 * first:.1f} % by its first weights"
        )
    return texts
