"""Progress of a training, in steps."""

from time import monotonic

from physiome.progress import Progress


class Reporter(Progress):
    """Counts steps and segments since it was made; says how fast they pass and what is left."""

    def __init__(self, title: str, steps: int, done: int, every_s: float = 10.0):
        super().__init__(title, steps, done, every_s, stays=True)
        self.title, self.started, self.segments = title, monotonic(), 0

    @property
    def segments_per_s(self) -> float:
        """Segments per second."""
        return self.segments / max(monotonic() - self.started, 1e-9)

    def step(self, segments: int, loss: float, epoch: int, note: str = "") -> None:
        """One optimiser step over `segments` windows is done; `note`: what else to show of it."""
        self.segments += segments
        if self.add(1) or self.done == self.total:
            speed = f"segments_per_s={self.segments_per_s:.1f}"
            facts = f"epoch={epoch} loss={loss:.4f} {speed} {note}".rstrip()
            step = f"step={self.done}/{self.total}"
            self.tell(facts, f"{self.title} {step} {facts} left_s={self.left_s or 0:.0f}")

    def look(self, facts: str) -> None:
        """What a look between two steps showed."""
        self.say(f"{self.title} look {facts}")
