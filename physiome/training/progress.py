"""What a training shows: a bar on a terminal, otherwise a line every few seconds."""

import logging
import sys
import time

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

log = logging.getLogger(__name__)


class Reporter:
    """Counts steps and segments since it was made; says how fast they pass and what is left."""

    def __init__(self, title: str, steps: int, done: int, every_s: float = 10.0):
        self.title, self.steps, self.done = title, steps, done
        self.every_s = every_s
        self.started = self.last = time.monotonic()
        self.segments = 0
        self.bar: Progress | None = None
        if sys.stderr.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
            self.bar = Progress(*columns, TextColumn("{task.fields[facts]}"))
            self.task = self.bar.add_task(title, total=steps, completed=done, facts="")
            self.bar.start()

    @property
    def rate(self) -> float:
        """Segments per second."""
        return self.segments / max(time.monotonic() - self.started, 1e-9)

    def step(self, segments: int, loss: float, epoch: int, note: str = "") -> None:
        """One optimiser step over `segments` windows is done; `note`: what else to show of it."""
        self.done += 1
        self.segments += segments
        facts = f"epoch={epoch} loss={loss:.4f} segments_per_s={self.rate:.1f} {note}".rstrip()
        now = time.monotonic()
        if self.bar is not None:
            self.bar.update(self.task, completed=self.done, facts=facts)
        elif now - self.last > self.every_s or self.done == self.steps:
            left_s = (self.steps - self.done) * segments / max(self.rate, 1e-9)
            log.info(
                "%s step=%d/%d %s left_s=%.0f", self.title, self.done, self.steps, facts, left_s
            )
            self.last = now

    def say(self, text: str) -> None:
        """A line of its own, above the bar if there is one."""
        if self.bar is not None:
            self.bar.console.log(f"{self.title} {text}")
        else:
            log.info("%s %s", self.title, text)

    def close(self) -> None:
        """Stop drawing."""
        if self.bar is not None:
            self.bar.stop()
