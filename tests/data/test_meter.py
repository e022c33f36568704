import io
import re
import sys

import pytest

from physiome import progress
from physiome.data.download.progress import Meter

URL = "https://publisher.example/night.edf"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def screen(text: str) -> list[str]:
    """The lines a terminal shows after `text`: it knows of erasing, and of moving up a line."""
    lines, at = [""], 0
    for part in re.findall(r"\x1b\[\??\d*[A-Za-z]|\n|\r|[^\x1b\n\r]+", text):
        if part == "\n":
            lines, at = [*lines, ""], at + 1
        elif part == "\x1b[1A":
            at -= 1
        elif part == "\x1b[2K":
            lines[at] = ""
        elif part[0] not in "\x1b\r":
            lines[at] += part
    return lines


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by ten seconds at every look."""
    seconds = iter(range(0, 10_000, 10))
    monkeypatch.setattr(progress, "monotonic", lambda: next(seconds))


def run(total: int | None = 1_000_000, heartbeat_s=5.0, start=200_000):
    with Meter(URL, start, total, heartbeat_s) as counted:
        counted.add(100_000)
        counted.add(100_000)
    return counted


def test_the_log_tells_bytes_rate_and_time_left(clock, caplog):
    caplog.set_level("INFO")
    assert run().done == 400_000
    first, second = [record.getMessage() for record in caplog.records]
    assert first == (
        f"fetch url={URL} bytes=300000 total_bytes=1000000 bytes_per_s=10000 seconds_left=70"
    )
    assert "bytes=400000" in second
    assert "seconds_left=60" in second


def test_an_unknown_length_has_no_time_left(clock, caplog):
    caplog.set_level("INFO")
    run(total=None)
    assert "total_bytes=None bytes_per_s=10000 seconds_left=None" in caplog.text


def test_lines_come_no_more_often_than_asked(clock, caplog):
    caplog.set_level("INFO")
    run(heartbeat_s=20.0)
    assert len(caplog.records) == 1


def test_a_terminal_gets_one_live_line_that_is_erased(clock, caplog, monkeypatch):
    caplog.set_level("INFO")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    run()
    assert caplog.records == []
    assert "night.edf" in terminal.getvalue()
    assert "1:10 left, 0.3 of 1.0 MB, 0.0 MB/s" in terminal.getvalue()
    assert screen(terminal.getvalue()) == ["", ""]


def test_a_log_gets_no_live_line(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    run()
    assert stream.getvalue() == ""


def test_heartbeats_can_be_switched_off(clock, caplog, monkeypatch):
    caplog.set_level("INFO")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    run(heartbeat_s=0.0)
    assert caplog.records == []
    assert terminal.getvalue() == ""
