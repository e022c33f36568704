import io
import sys

import pytest

from physiome import progress
from physiome.training.progress import Reporter


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by six seconds at every look."""
    seconds = iter(range(0, 10_000, 6))
    monkeypatch.setattr(progress, "monotonic", lambda: next(seconds))


def run(steps: int = 3, **options) -> None:
    with Reporter("toy [red]fold 1", steps, 0, **options) as reporter:
        reporter.look("epoch=0 auc=0.5")
        for step in range(steps):
            reporter.step(8, loss=1.0 / (step + 1), epoch=1, note="contrast=1")


def test_a_log_gets_plain_lines_and_the_last_step_whatever_the_time(caplog, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    caplog.set_level("INFO")
    run(every_s=3600.0)
    look, last = [record.getMessage() for record in caplog.records]
    assert look == "toy [red]fold 1 look epoch=0 auc=0.5"
    assert last.startswith("toy [red]fold 1 step=3/3 epoch=1 loss=0.3333 segments_per_s=")
    assert last.endswith(" contrast=1 left_s=0")
    assert stream.getvalue() == ""


def test_lines_come_when_their_time_has_come(clock, caplog):
    caplog.set_level("INFO")
    run(every_s=10.0)
    assert [f" step={n}/3 " in caplog.text for n in (1, 2, 3)] == [False, True, True]


def test_a_terminal_gets_a_bar_that_stays_and_looks_above_it(clock, caplog, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    caplog.set_level("INFO")
    run()
    assert caplog.records == []
    said = terminal.getvalue()
    assert "toy [red]fold 1 look epoch=0 auc=0.5" in said
    last = said[said.rindex("toy [red]fold 1") :]
    assert "0:00 left, epoch=1 loss=0.3333" in last
    assert last.rstrip("\x1b[?25h\n ").endswith("contrast=1")
