"""Progress of a transfer: a line now and then in the log, or one live line on a terminal."""

import logging
import sys
import time
from types import TracebackType

log = logging.getLogger(__name__)
LIVE_S = 0.5  # between changes of the live line
ERASE = "\r\x1b[K"


class Meter:
    """Counts the bytes of one transfer and tells of them, with the time left if it can be known.

    Args:
        start: bytes that were there already.
        total: bytes of the whole file, if the server says.
        heartbeat_s: seconds between lines in the log; 0: no line, neither there nor on a terminal.
    """

    def __init__(self, url: str, start: int, total: int | None, heartbeat_s: float):
        self.url, self.start, self.total, self.done = url, start, total, start
        self._live = heartbeat_s > 0 and sys.stderr.isatty()
        self._every_s = LIVE_S if self._live else heartbeat_s
        self._began = self._told = time.monotonic()

    def __enter__(self) -> "Meter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:  # what follows on the terminal begins on a clean line
            sys.stderr.write(ERASE)
            sys.stderr.flush()

    def add(self, count: int) -> None:
        """`count` more bytes are there."""
        self.done += count
        now = time.monotonic()
        if self._every_s > 0 and now - self._told >= self._every_s:
            self._told = now
            self._tell(now - self._began)

    def _tell(self, passed_s: float) -> None:
        rate = (self.done - self.start) / max(passed_s, 1e-9)  # bytes per second
        left_s = None if self.total is None or not rate else (self.total - self.done) / rate
        if self._live:
            sys.stderr.write(ERASE + _for_people(self.url, self.done, self.total, rate, left_s))
            sys.stderr.flush()
            return
        log.info(
            "fetch url=%s bytes=%d total_bytes=%s bytes_per_s=%.0f seconds_left=%s",
            self.url,
            self.done,
            self.total,
            rate,
            None if left_s is None else round(left_s),
        )


def _for_people(url: str, done: int, total: int | None, rate: float, left_s: float | None) -> str:
    """One short line: `name: 12.1 of 48.3 MB, 1.2 MB/s, 0:30 left`."""
    text = f"{url.rsplit('/', 1)[-1][:40]}: {done / 1e6:.1f}"
    text += f" of {total / 1e6:.1f} MB" if total is not None else " MB"
    text += f", {rate / 1e6:.1f} MB/s"
    if left_s is not None:
        minutes, seconds = divmod(round(left_s), 60)
        text += f", {minutes}:{seconds:02d} left"
    return text
