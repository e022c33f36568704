"""A made-up course of sleep stages: wake, cycles of N1, N2, N3, N2, REM, and wake again."""

import numpy as np

from physiome.data.recording import Annotation

EPOCH_S = 30
STAGES = ("W", "N1", "N2", "N3", "R")
W, N1, N2, N3, R = range(5)
CYCLE_EPOCHS = 180  # 90 minutes
FEWEST_EPOCHS = 20
WAKE_SHARE = 0.1  # of the night, before and after sleep each
# a cycle's bouts: stage, share of the cycle; deep sleep fades and REM grows from cycle to cycle
CYCLE = ((N1, 0.08), (N2, 0.30), (N3, 0.24), (N2, 0.12), (R, 0.18), (W, 0.04), (N1, 0.04))
MOVEMENT_SHARE = 0.003
UNSCORED_EPOCHS = 2  # at the end of the signals
OVERHANG_S = 3600  # by which the last annotation outlasts the signals
TEXTS = {W: "Sleep stage W", N1: "Sleep stage 1", N2: "Sleep stage 2", R: "Sleep stage R"}


def draw_stages(epochs: int, rng: np.random.Generator) -> np.ndarray:
    """Stages (epochs,) as indices into `STAGES`; all five occur. `epochs` >= FEWEST_EPOCHS."""
    wake = max(2, round(WAKE_SHARE * epochs * rng.uniform(0.8, 1.2)))
    asleep = epochs - 2 * wake
    cycles = max(1, round(asleep / CYCLE_EPOCHS))
    bouts, shares = [W], []
    for cycle in range(cycles):
        late = cycle / max(1, cycles - 1) if cycles > 1 else 0.5
        factors = {N3: 1.6 - 1.2 * late, R: 0.5 + 1.0 * late}
        for stage, share in CYCLE:
            bouts.append(stage)
            shares.append(share * factors.get(stage, 1.0) * rng.lognormal(0.0, 0.25))
    bouts.append(W)
    return np.repeat(bouts, [wake, *_whole(np.array(shares), asleep), wake])


def _whole(shares: np.ndarray, total: int) -> np.ndarray:
    """Whole numbers >= 1 in about the proportion of `shares`, with the given sum."""
    spare = total - len(shares)
    ends = np.round(np.cumsum(shares) / shares.sum() * spare).astype(int)
    return 1 + np.diff(ends, prepend=0)


def hypnogram(stages: np.ndarray, rng: np.random.Generator) -> list[Annotation]:
    """Annotations as a scorer by the rules of Rechtschaffen and Kales writes them.

    Deep sleep is stage 3 or 4, a few epochs are movement time, the last ones are not scored, and
    the last annotation outlasts the signals, all as in the originals.
    """
    texts = [TEXTS.get(stage, "Sleep stage 3") for stage in stages]
    for epoch in np.flatnonzero(stages == N3):
        if rng.random() < 0.5:
            texts[epoch] = "Sleep stage 4"
    for epoch in np.flatnonzero(rng.random(len(stages)) < MOVEMENT_SHARE):
        if (stages == stages[epoch]).sum() > 5:  # do not take a rare stage away
            texts[epoch] = "Movement time"
    texts[-UNSCORED_EPOCHS:] = ["Sleep stage ?"] * UNSCORED_EPOCHS
    firsts = [i for i in range(len(texts)) if i == 0 or texts[i] != texts[i - 1]]
    runs = [
        Annotation(EPOCH_S * first, EPOCH_S * (last - first), texts[first])
        for first, last in zip(firsts, [*firsts[1:], len(texts)], strict=True)
    ]
    end = runs[-1]
    return [*runs[:-1], Annotation(end.onset_s, end.duration_s + OVERHANG_S, end.text)]
