"""A model of one GPU and its host: seconds of a step, of a job, and what bounds them.

All of it is modelled and none of it measured. Constants are here and nowhere else.
"""

from dataclasses import dataclass
from typing import NamedTuple

from tests.estimate.steps import Work

LAUNCH_S = 8e-6  # of the host for an operation, views between them included
BYTES_PER_S = 3.2e12  # of kernels that move numbers: two thirds of an H200's 4.8 TB/s
FLOP16_PER_S = 420e12  # matrix products of 16-bit numbers: under half of an H200's 990 TFLOP/s
FLOP32_PER_S = 50e12  # of float32 without TF32: three quarters of its 67 TFLOP/s
LINK_BYTES_PER_S = 25e9  # from pinned memory to the device
PIN_BYTES_PER_S = 10e9  # into pinned memory
DRAWS_PER_S = 200e6  # random numbers of one core: 200 to 300 million, measured on two cores
LOOP_S = (
    0.5e-3  # of the host for a step besides: handing over the batch, seeding, a line of the log
)
CONTEXT_S = 12.0  # of a job: the GPU's context, building, trying two windows, first launches
IMPORT_S = 6.0  # of a job: starting Python with all that a training imports
LOOK_S = 2.0  # one look of the monitor: a head fitted on the host
DISK_BYTES_PER_S = 0.5e9  # of a checkpoint: copied to the host, written, forced to disk, hashed
SAVE_EVERY_S = 300.0  # and at the end; as `save_every_s` in config.yaml
# What a compiler leaves of the bytes of elementwise operations: the median of seven kinds of
# blocks, by its own account 0.17 to 1.00 (tests/estimate/fused.py)
FUSED_BYTES = 0.8
# And of norms over rows: what is cast or added beside them happens in their kernels
FUSED_NORM_BYTES = 2 / 3
ROW_NORMS = {
    "native_layer_norm", "native_layer_norm_backward", "rms_norm", "rms_norm_backward",
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """How the work is run.

    Attributes:
        jobs: at once on a device. Their hosts work side by side, their kernels take turns.
        compiled: elementwise operations of blocks run in their neighbours' kernels.
        kept: what frozen frame networks say of a window is computed in the first epoch alone.
    """

    jobs: int = 1
    compiled: bool = False
    kept: bool = False


class StepTime(NamedTuple):
    """Seconds of a step: of the host, and of kernels by what bounds them."""

    launch_s: float
    draw_s: float
    memory_s: float
    arithmetic_s: float

    @property
    def host_s(self) -> float:
        """In which the host is busy."""
        return self.launch_s + self.draw_s

    @property
    def kernel_s(self) -> float:
        """In which the device is busy."""
        return self.memory_s + self.arithmetic_s

    def seconds(self, jobs: int = 1) -> float:
        """Of the device, if so many jobs share it: what hosts do, they do side by side."""
        return max(self.host_s / jobs, self.kernel_s)

    @property
    def bound(self) -> str:
        """The larger part of the larger side."""
        host = self.host_s > self.kernel_s
        names = ("launch", "draws") if host else ("memory", "arithmetic")
        sides = (self.launch_s, self.draw_s) if host else (self.memory_s, self.arithmetic_s)
        return names[0] if sides[0] >= sides[1] else names[1]


def step_time(work: Work, settings: Settings, epochs: float = 1.0) -> StepTime:
    """Mean seconds of a step of this work.

    Args:
        epochs: of the training; without any, an embedding's, 0.
    """
    launches = memory_s = arithmetic_s = 0.0
    pinned = work.sent * work.samples
    kept = settings.kept and epochs > 1 and work.kept > 0
    if kept:  # read, and handed over
        launches, memory_s = work.samples, 2 * work.kept * work.samples / BYTES_PER_S
    for op in work.ops:
        often = 1 / epochs if kept and op.once else 1.0
        fused = settings.compiled and op.compiled and op.fuses
        launches += 0.0 if fused else op.launches * often
        moving_s = op.bytes / BYTES_PER_S * (FUSED_BYTES if fused else 1.0)
        if settings.compiled and op.compiled and op.name in ROW_NORMS:
            moving_s *= FUSED_NORM_BYTES
        if op.name == "send":
            moving_s, pinned = op.bytes / LINK_BYTES_PER_S, pinned + op.bytes
        working_s = op.flop / (FLOP16_PER_S if op.narrow else FLOP32_PER_S)
        memory_s += often * moving_s if moving_s >= working_s else 0.0
        arithmetic_s += often * working_s if working_s > moving_s else 0.0
    n = work.samples
    return StepTime(
        launches / n * LAUNCH_S + pinned / n / PIN_BYTES_PER_S + LOOP_S,
        work.drawn / DRAWS_PER_S,
        memory_s / n + work.sent / LINK_BYTES_PER_S,
        arithmetic_s / n,
    )


@dataclass(frozen=True)
class JobTime:
    """Seconds of one job: its steps, and what else its process does meanwhile the device rests."""

    steps_s: float
    start_s: float
    saves_s: float

    @property
    def seconds(self) -> float:
        """Together."""
        return self.steps_s + self.start_s + self.saves_s


def job_time(work: Work, steps: float, epochs: float, looks: int, settings: Settings) -> JobTime:
    """Of a training, or of an embedding with no epochs and no looks.

    With several jobs at once what a job does on the host costs the device its share of the time.
    """
    steps_s = steps * step_time(work, settings, epochs).seconds(settings.jobs)
    start_s = IMPORT_S + CONTEXT_S + looks * LOOK_S
    state = work.trained_bytes + work.state_bytes
    saves = 1 + steps_s * settings.jobs / SAVE_EVERY_S if epochs else 0.0
    return JobTime(
        steps_s, start_s / settings.jobs, saves * state / DISK_BYTES_PER_S / settings.jobs
    )
