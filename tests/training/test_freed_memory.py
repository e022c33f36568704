"""Freed memory is kept for the next step: no page of it is fetched from the kernel again."""

import ctypes
import subprocess
import sys

import pytest

ALLOCATE = """
import resource, sys
import numpy as np
from physiome.training.runtime import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(8_000_000)  # 64 MB
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how):
    command = [sys.executable, "-c", ALLOCATE, how]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")
def test_a_block_freed_and_asked_for_again_costs_no_page_fault():
    assert faults("keep") < 10 < faults("as usual")
