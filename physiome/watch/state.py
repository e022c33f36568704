"""The state of a run of the workflow: what is done, what runs, what failed."""

from dataclasses import dataclass, field
from typing import Literal

from physiome.watch.training import Training

Phase = Literal["none", "planning", "running", "done", "failed", "stopped", "killed"]


@dataclass(frozen=True)
class Count:
    """Jobs of a rule."""

    rule: str
    done: int
    running: int
    failed: int
    left: int

    @property
    def jobs(self) -> int:
        """All of them."""
        return self.done + self.running + self.failed + self.left


@dataclass(frozen=True)
class Running:
    """A job that runs, or that was cut off; `training`: how far it is, if it is one."""

    rule: str
    what: str
    log: str
    since_s: float
    training: Training | None = None


@dataclass(frozen=True)
class Failure:
    """A job that failed, and the error in its log."""

    rule: str
    log: str
    why: str


@dataclass(frozen=True)
class Left:
    """Seconds that are left; `unknown`: rules of which no job is done, that are not in it."""

    seconds: float
    unknown: tuple[str, ...]


@dataclass
class State:
    """What a run is doing.

    Attributes:
        phase: killed: its log does not end and no Snakemake lives here.
        results: the results folder; None where nothing was written yet.
        processes: of Snakemake in this folder.
        elapsed_s: since it began; to its log's last line where it has ended.
        left: seconds that are left, estimated.
        of_all: whether `counts` are of all jobs of the run; Snakemake does not say how many there
            are if it is told to be quiet, and then they are those that began.
        waiting: rule and name of jobs that were handed to a cluster and have not begun there; they
            are among those left.
        cut_off: jobs that were being done when a run was killed; they are done again.
    """

    phase: Phase
    results: str | None = None
    processes: list[int] = field(default_factory=list)
    elapsed_s: float = 0.0
    left: Left | None = None
    of_all: bool = True
    counts: list[Count] = field(default_factory=list)
    running: list[Running] = field(default_factory=list)
    waiting: list[tuple[str, str]] = field(default_factory=list)
    cut_off: list[Running] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)

    @property
    def lives(self) -> bool:
        """Whether there is more to come."""
        return self.phase in ("planning", "running")
