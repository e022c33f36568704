"""Texts of scorers that are stages of sleep, and those that are not."""

import pytest

from physiome.inspect.stages import stage_of, stages_of

TEXTS = {
    "W": "W, Wake, wach, awake, Sleep stage W, Stage W, Stadium Wach, SLEEP-STAGE-W, Sleep stage 0",
    "N1": "N1, S1, NREM1, NREM 1, Non-REM 1, Sleep stage N1, Sleep stage 1, Schlafstadium 1",
    "N2": "n2, sleep_stage_n2, Stage 2, Stage: 2",
    "N3": "N3, N4, S4, Sleep stage 3, Sleep stage 4, Stage N3",
    "REM": "R, REM, Sleep stage R, Stage REM, Sleep stage 5",
    None: "?, Sleep stage ?, 1, 5, Arousal, Sleep, Stage, Stages, Wakefulness?, N5, S, Stage 6, "
    "Movement time, REM-AASM-Events, Recording starts, Lights off",
}  # fmt: skip


@pytest.mark.parametrize("stage", TEXTS)
def test_texts_are_of_a_stage(stage):
    for text in TEXTS[stage].split(", "):
        assert stage_of(text) == stage, text


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["R", "Bad", "W", "S2"], ["W", "N2", "REM"]),  # a remark beside three stages
        (["R", "W"], ["W", "REM"]),  # nothing else
        (["R", "W", "left"], []),  # right, and whatever
        (["S3", "S4", "rest"], []),  # one stage, by two names
        (["rest", "task"], []),
        (["Phase 1", "Phase 2", "Phase 3"], []),  # of whatever: nobody wakes or dreams
        (["S  1", "S  2", "S  3", "S 10"], []),  # of stimuli
        ([], []),
    ],
)
def test_texts_are_a_staging_if_three_stages_are_among_them_or_nothing_else(texts, found):
    assert list(stages_of(texts).values()) == found
