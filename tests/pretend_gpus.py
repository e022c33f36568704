"""Machines with GPUs that are not there: a program that lists them as `nvidia-smi -L` does."""

from pathlib import Path

import pytest

TWO = ("GPU-aaaa1111-0000", "GPU-bbbb2222-0000")
LISTING = "".join(f"GPU {i}: NVIDIA H200 (UUID: {uuid})\n" for i, uuid in enumerate(TWO))
SLICES = ("MIG-1c/7/0", "MIG-2d")
PARTITIONED = (
    "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa1111-0000)\n"
    f"  MIG 3g.20gb     Device  0: (UUID: {SLICES[0]})\n"
    f"  MIG 3g.20gb     Device  1: (UUID: {SLICES[1]})\n"
    "GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb2222-0000)\n"
)


def machine(
    monkeypatch: pytest.MonkeyPatch, folder: Path, listing: str, code: int = 0, mib: str = ""
) -> None:
    """From now on this machine lists these GPUs; nothing in the environment narrows them down.

    Args:
        mib: memory that each says it has.
    """
    place = folder / "bin"
    place.mkdir(exist_ok=True)
    (place / "listing").write_text(listing)
    program = place / "nvidia-smi"
    lists, tells = f'-L) /bin/cat "{place}/listing";;', f'--id=*memory.total*) echo "{mib}";;'
    program.write_text(f'#!/bin/sh\ncase "$*" in {lists} {tells} esac\nexit {code}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(place), prepend=":")
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
