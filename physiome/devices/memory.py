"""What is said when memory runs out, of a device or of the machine, wherever it happens."""

from collections.abc import Iterator
from contextlib import contextmanager

from physiome.errors import PhysioError, TrainingError

# In the words of CUDA, its libraries, and of torch on a CPU: not all raise OutOfMemoryError.
SIGNS = (
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "can't allocate memory",
)
LARGER = "use a smaller model, or a device with more memory that nothing else computes on"
FEWER = "lower embed_batch, or use a device with more memory that nothing else computes on"

CPU = "score on the CPU: --device cpu"


@contextmanager
def memory_told(where: str, holds: str, do: str) -> Iterator[None]:
    """Within, running out of memory is one line.

    Args:
        where: what is being done.
        holds: what was to be in memory.
        do: what asks for less.

    Raises:
        TrainingError: out of memory.
    """
    try:
        yield
    except RuntimeError as error:
        if not any(sign in str(error) for sign in SIGNS) and not _named_so(error):
            raise
        said = " ".join(str(error).split())[:300]
        raise TrainingError(
            "out of memory", where=where, why=f"{holds}; {said}".removeprefix("; "), do=do
        ) from None


@contextmanager
def workers_told(setting: str) -> Iterator[None]:
    """Within, a killed worker process is one line: systems that lack memory end the largest.

    Args:
        setting: how many workers there are.

    Raises:
        PhysioError: a worker was killed.
    """
    from concurrent.futures import BrokenExecutor  # joblib's is of this kind, too

    try:
        yield
    except BrokenExecutor:
        raise PhysioError(
            "a worker process was killed",
            why="perhaps for want of memory",
            do=f"lower {setting}, or give the job more memory",
        ) from None


def _named_so(error: RuntimeError) -> bool:
    """Whether it is torch's own exception, which other libraries' texts may pass through."""
    return type(error).__name__ == "OutOfMemoryError"
