"""Stages of sleep by the words that scorers and their programs have for them."""

import re
from collections.abc import Sequence

STAGES = ("W", "N1", "N2", "N3", "REM")  # AASM; with these names a hypnogram has its statistics
WORDS = {
    "W": "W", "WAKE": "W", "WACH": "W", "AWAKE": "W", "R": "REM", "REM": "REM", "N4": "N3",
}  # fmt: skip
# "Sleep stage 2", "Stadium N2", "sleep_stage_n2"; a number alone may be anything
BEFORE = re.compile(r"(?:(?:SLEEP|SCHLAF)[\s_-]*)?(?:STAGE|STADIUM|STAD|PHASE)[\s_:.-]*(?=\S)")
NUMBER = re.compile(r"(?:N|S|NREM|NON-?REM)[\s_-]*([1-4])")


def stage_of(text: str) -> str | None:
    """The stage that an annotation's text is of; None: of none. Stages 3 and 4 are N3.

    Example:
        >>> [stage_of(t) for t in ("Sleep stage 4", "Stadium N2", "Wach", "R", "2", "Stage ?")]
        ['N3', 'N2', 'W', 'REM', None, None]
    """
    said = text.strip().upper()
    short = BEFORE.sub("", said, count=1) if BEFORE.match(said) else said
    if short != said and re.fullmatch("[0-5]", short):
        return {"0": "W", "4": "N3", "5": "REM"}.get(short, f"N{short}")
    numbered = NUMBER.fullmatch(short)
    return WORDS.get(short) or (numbered and f"N{min(int(numbered[1]), 3)}") or None


def stages_of(texts: Sequence[str]) -> dict[str, str]:
    """Text -> stage of those that are of one, from wake to REM; empty where they are no staging.

    Beside three stages other texts are remarks; beside fewer, "R" and "W" may be anything. Without
    wake and REM "Phase 2" may be, too, or "S 2" of a stimulus.
    """
    known = {text: stage for text in texts if (stage := stage_of(text))}
    found, whole = {*known.values()}, len(known) == len(texts)
    if not found & {"W", "REM"} or (len(found) < 3 and not whole):
        return {}
    return dict(sorted(known.items(), key=lambda item: STAGES.index(item[1])))
