"""What jobs ask of a scheduler."""

import pytest

from physiome.config.cluster import Cluster
from physiome.errors import ConfigError
from physiome.plan.sizes import gpu_threads, mem_mb, runtime

CLUSTER = Cluster.parse(
    {"most": {"memory_gb": 10.0, "hours": 24.0}, "train": {"memory_gb": 3.3, "hours": 1.5}}
)


def test_every_attempt_asks_for_twice_as_much_up_to_what_there_is():
    asked = [
        (mem_mb(CLUSTER, "train")(None, n), runtime(CLUSTER, "train")(None, n)) for n in (1, 2, 3)
    ]
    assert asked == [(3300, 90), (6600, 180), (10_000, 360)]
    assert runtime(CLUSTER, "train")(None, 9) == 24 * 60


def test_without_a_bound_there_is_none():
    free = Cluster()
    assert mem_mb(free, "train")(None, 11) == 1024 * mem_mb(free, "train")(None, 1)


def test_part_of_a_minute_counts_as_one():
    short = Cluster.parse({"probe": {"memory_gb": 0.0001, "hours": 0.001}})
    assert (mem_mb(short, "probe")(None, 1), runtime(short, "probe")(None, 1)) == (1, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"trian": {"memory_gb": 1.0, "hours": 1.0}},
        {"train": {"memory_gb": 0.0, "hours": 1.0}},
        {"train": {"memory_gb": 1.0}},
        {"most": {"hours": -1.0}},
    ],
)
def test_what_cannot_be_asked_is_refused(wrong):
    with pytest.raises(ConfigError, match=r"cluster\."):
        Cluster.parse(wrong, "cluster")


def test_jobs_that_share_gpus_share_the_cores_and_leave_some_to_others():
    assert gpu_threads(4, cores=16, gpu_jobs=0) == 4  # none shares one: as without the setting
    assert [gpu_threads(4, 16, jobs) for jobs in (2, 4, 7, 8, 16)] == [4, 3, 2, 1, 1]
    assert gpu_threads(4, None, 8) == 4
    for jobs in range(1, 9):
        assert jobs * gpu_threads(4, 16, jobs) < 16
