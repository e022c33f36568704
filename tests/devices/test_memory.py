"""Out of memory, wherever it happens: one line that says what asks for less."""

import os
import signal

import pytest
import torch
from joblib import Parallel, delayed

from physiome.devices.memory import FEWER, memory_told, workers_told
from physiome.errors import PhysioError, TrainingError

RAISED = {
    "torch on a GPU": torch.OutOfMemoryError("Tried to allocate 9.00 GiB"),
    "the driver": RuntimeError("CUDA error: out of memory\nCompile with TORCH_USE_CUDA_DSA"),
    "a library of CUDA": RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
    "torch on a CPU": RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"),
}


def test_every_way_of_running_out_of_memory_is_told(subtests):
    for name, error in RAISED.items():
        with subtests.test(name):
            with (
                pytest.raises(TrainingError, match="embedding: out of memory") as caught,
                memory_told("embedding", "256 windows at a time", FEWER),
            ):
                raise error
            line = str(caught.value)
            assert "256 windows" in line
            assert "lower embed_batch" in line
            assert "\n" not in line


def test_other_errors_pass_as_they_are():
    with pytest.raises(RuntimeError, match="shapes"), memory_told("embedding", "", FEWER):
        raise RuntimeError("shapes do not fit")


def test_a_worker_of_joblib_that_is_killed_is_told():
    jobs = [delayed(signal.raise_signal)(signal.SIGKILL) for _ in range(2)]
    with (
        pytest.raises(PhysioError, match=r"worker process was killed .* lower threads\.probe"),
        workers_told("threads.probe"),
    ):
        Parallel(n_jobs=2)(jobs)
    assert Parallel(n_jobs=2)(delayed(os.getppid)() for _ in range(2))  # others are begun anew
