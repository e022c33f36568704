"""What a job asks of a scheduler: memory and time, twice as much at every attempt; threads."""

from collections.abc import Callable
from math import ceil
from typing import Any

from physiome.config.cluster import Cluster, Request

Resource = Callable[[Any, int], int]  # of a job's wildcards and its attempt, the first being 1


def mem_mb(cluster: Cluster, rule: str) -> Resource:
    """A rule's resource `mem_mb`, in MB."""
    request: Request = getattr(cluster, rule)
    return lambda wildcards, attempt: ceil(
        1000 * _grown(request.memory_gb, attempt, cluster.most.memory_gb)
    )


def runtime(cluster: Cluster, rule: str) -> Resource:
    """A rule's resource `runtime`, in minutes."""
    request: Request = getattr(cluster, rule)
    return lambda wildcards, attempt: ceil(60 * _grown(request.hours, attempt, cluster.most.hours))


def gpu_threads(wanted: int, cores: int | None, gpu_jobs: int) -> int:
    """Threads of a job that shares a GPU: cores are dealt out, with one hand left for other jobs.

    Args:
        wanted: the most that it gets.
        cores: of the run; None: not limited.
        gpu_jobs: that compute on GPUs at once; 0: none shares one.
    """
    if cores is None or not gpu_jobs:
        return wanted
    return max(1, min(wanted, cores // (gpu_jobs + 1)))


def _grown(first: float, attempt: int, most: float | None) -> float:
    wanted = first * 2 ** (attempt - 1)
    return wanted if most is None else min(wanted, most)
