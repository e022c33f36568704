"""Progress of what takes long: a live bar on a terminal, else a line in the log now and then."""

import logging
import sys
from time import monotonic
from typing import TYPE_CHECKING, Self

from physiome.errors import on_one_line

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

log = logging.getLogger(__name__)
LIVE_S = 0.5  # between changes of the bar


class Progress:
    """Counts what is done of something long, and knows when to tell of it.

    Args:
        title: stands in front of the bar.
        total: what there is to do, if that is known.
        done: how much of it was done before.
        every_s: seconds between lines in the log; 0: nothing is told, on a terminal neither.
        stays: whether the bar stays on the terminal in the end.
    """

    def __init__(
        self, title: str, total: int | None, done: int, every_s: float, stays: bool = False
    ):
        self.total, self.start, self.done = total, done, done
        self._began = self._told = self._now = monotonic()
        self._bar: Bar | None = None
        self._every_s = every_s
        if every_s > 0 and sys.stderr.isatty():
            self._every_s, self._bar = LIVE_S, _bar(stays)
            self._task = self._bar.add_task(
                on_one_line(title), total=total, completed=done, facts=""
            )

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    @property
    def rate(self) -> float:
        """How much was done per second."""
        return (self.done - self.start) / max(self._now - self._began, 1e-9)

    @property
    def left_s(self) -> float | None:
        """Seconds until all is done at this rate, if they can be known."""
        return None if self.total is None or not self.rate else (self.total - self.done) / self.rate

    def add(self, count: int) -> bool:
        """`count` more is done; whether it is time to `tell` of it."""
        self.done += count
        self._now = monotonic()
        return self._every_s > 0 and self._now - self._told >= self._every_s

    def tell(self, facts: str, line: str) -> None:
        """Show `facts` and the time left beside the bar; without one, log `line`."""
        self._told = self._now
        if self._bar is None:
            log.info("%s", line)
            return
        if self.left_s is not None:
            minutes, seconds = divmod(round(self.left_s), 60)
            facts = f"{minutes}:{seconds:02d} left, {facts}"  # what does not fit is cut at its end
        self._bar.update(self._task, completed=self.done, facts=facts, refresh=True)

    def say(self, line: str) -> None:
        """A line of its own, above the bar if there is one."""
        if self._bar is None:
            log.info("%s", line)
        else:
            self._bar.console.log(line, markup=False, highlight=False)


def _bar(stays: bool) -> "Bar":
    from rich.console import Console  # slow to import, and of use on terminals alone
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    title = TextColumn("{task.description}", markup=False)
    facts = TextColumn("{task.fields[facts]}", markup=False)
    console = Console(stderr=True, log_path=False)
    return Bar(
        title,
        BarColumn(20),
        facts,
        console=console,
        auto_refresh=False,
        transient=not stays,
    )
