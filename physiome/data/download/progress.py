"""Progress of a transfer, in bytes."""

from physiome.progress import Progress


class Meter(Progress):
    """Counts the bytes of one transfer and tells of them, with the time left if it can be known.

    Args:
        start: bytes that were there already.
        total: bytes of the whole file, if the server says.
        heartbeat_s: seconds between lines in the log; 0: no line, neither there nor on a terminal.
    """

    def __init__(self, url: str, start: int, total: int | None, heartbeat_s: float):
        super().__init__(url.rsplit("/", 1)[-1][:40], total, start, heartbeat_s)
        self.url = url

    def add(self, count: int) -> bool:
        """`count` more bytes are there."""
        due = super().add(count)
        if due:
            left_s = None if self.left_s is None else round(self.left_s)
            self.tell(
                self._for_people(),
                f"fetch url={self.url} bytes={self.done} total_bytes={self.total} "
                f"bytes_per_s={self.rate:.0f} seconds_left={left_s}",
            )
        return due

    def _for_people(self) -> str:
        """`12.1 of 48.3 MB, 1.2 MB/s`."""
        of = "" if self.total is None else f" of {self.total / 1e6:.1f}"
        return f"{self.done / 1e6:.1f}{of} MB, {self.rate / 1e6:.1f} MB/s"
