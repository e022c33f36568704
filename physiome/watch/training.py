"""How far a training is, by the lines of its own log."""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

STAMP = r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ INFO "
STEP = re.compile(STAMP + r".* step=(\d+)/(\d+) epoch=(\d+) loss=(\S+) (.*)$", re.M)
LOOK = re.compile(STAMP + r".* look epoch=(\d+) (.*)$", re.M)
EPOCHS = re.compile(r" epochs=(\d+) instead of ", re.M)
FACT = re.compile(r"(\w+)=(\S+)")
RECENT = 7  # lines that tell the pace
SHOWN = ("auc", "balanced_acc", "effective_rank")  # of a look


@dataclass(frozen=True)
class Training:
    """How far a training is.

    Attributes:
        step, steps: taken, and of all.
        epoch: begins with 1.
        epochs: of all; None where no line tells.
        loss: of the last line.
        contrast, chance: the contrastive part of the loss, and what it is by chance: ln(2B - 1)
            for B windows side by side; None for methods without.
        look: the last look of the monitor, with `epoch`; None for what is not finite.
        left_s: seconds to its end at the pace of its last lines; None with one line only.
        silent_s: seconds since its last line.
    """

    step: int
    steps: int
    epoch: int
    epochs: int | None
    loss: float
    contrast: float | None
    chance: float | None
    look: dict[str, float | None]
    left_s: float | None
    silent_s: float


def read_training(log: Path, metrics: Path, now: float) -> Training | None:
    """A training, by its log; None before its first step is told.

    Args:
        metrics: a line of each step, in which the steps of the first epoch are counted.
        now: seconds since the epoch.
    """
    try:
        text = log.read_text("utf-8", errors="replace")
    except OSError:
        return None
    lines = STEP.findall(text)
    if not lines:
        return None
    _, step, steps, epoch, loss, more = lines[-1]
    facts, told = _numbers(more), EPOCHS.search(text)
    silent_s = max(0.0, now - _seconds(lines[-1][0]))
    return Training(
        step=int(step),
        steps=int(steps),
        epoch=int(epoch),
        epochs=int(told[1]) if told else _epochs(metrics, int(steps)),
        loss=float(loss),
        contrast=facts.get("contrast"),
        chance=facts.get("chance"),
        look=_last_look(text),
        left_s=_left_s(lines[-RECENT:], silent_s),
        silent_s=silent_s,
    )


def _epochs(metrics: Path, steps: int) -> int | None:
    """Epochs of all steps, by the length of the first; None before its end."""
    per_epoch = 0
    try:
        with open(metrics, encoding="utf-8") as lines:
            for line in lines:
                epoch = json.loads(line)["epoch"]
                if epoch > 1:
                    return round(steps / per_epoch)
                per_epoch += epoch == 1 and "monitor" not in line
    except (OSError, ValueError):
        return None  # not begun, or a line is being written
    return None


def _last_look(text: str) -> dict[str, float | None]:
    looks = LOOK.findall(text)
    if not looks:
        return {}
    _, epoch, facts = looks[-1]
    found = _numbers(facts)
    return {"epoch": float(epoch)} | {key: found[key] for key in SHOWN if key in found}


def _left_s(lines: list[tuple[str, ...]], silent_s: float) -> float | None:
    (first, a, *_), (last, b, steps, *_) = lines[0], lines[-1]
    seconds, taken = _seconds(last) - _seconds(first), int(b) - int(a)
    if seconds <= 0 or taken <= 0:
        return None
    return max(0.0, (int(steps) - int(b)) * seconds / taken - silent_s)


def _numbers(text: str) -> dict[str, float | None]:
    """`a=1 b=not_finite` -> {"a": 1.0, "b": None}."""
    return {k: None if v == "not_finite" else float(v) for k, v in FACT.findall(text)}


def _seconds(stamp: str) -> float:
    return datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S").timestamp()
