"""Which GPUs this process may use, by UUID: a number means another one in another environment.

`nvidia-smi -L` lists GPUs and, below each, the slices that it is partitioned into (MIG).
"""

import glob
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field

from physiome.errors import TrainingError

GPU = re.compile(r"GPU (\d+): (.+?) \(UUID: (GPU-[^)\s]+)\)")
SLICE = re.compile(r"\s+MIG .*\(UUID: (MIG-[^)\s]+)\)")
NONE = ("-1", "NoDevFiles")  # in CUDA_VISIBLE_DEVICES: nothing from here on
LISTING = "nvidia-smi -L"
MEMORY = ("--query-gpu=memory.total", "--format=csv,noheader,nounits")  # in MiB
LONGEST_S = 60.0  # that a listing may take: the driver wakes every GPU first


@dataclass
class Gpu:
    """A GPU of this machine.

    Attributes:
        number: in the order of the PCI bus.
        slices: UUIDs of its partitions; empty for a whole GPU.
    """

    number: int
    model: str
    uuid: str
    slices: list[str] = field(default_factory=list)

    @property
    def parts(self) -> list[str]:
        """UUIDs of what can be computed on: its slices, or itself."""
        return self.slices or [self.uuid]


def visible_devices() -> list[str]:
    """UUIDs of the GPUs and slices this process may use, without importing torch.

    `CUDA_VISIBLE_DEVICES` (of a user, or of a Slurm allocation) may narrow them down: only what it
    names is ever leased.

    Raises:
        TrainingError: if it names what is not there or could mean several, or if GPUs cannot be
            listed.
    """
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = None if named is None else _until_none(named)
    if names == []:
        return []
    gpus = machine_gpus()
    if names is None:
        return [part for gpu in gpus for part in gpu.parts]
    if not gpus:
        return _without_a_listing(names)
    _require_one_order(names, gpus)
    return list(dict.fromkeys(uuid for name in names for uuid in _meant(name, gpus)))


def machine_gpus() -> list[Gpu]:
    """All GPUs that the driver shows here; none on a machine without.

    Raises:
        TrainingError: if there are devices and they cannot be listed.
    """
    nodes = glob.glob("/dev/nvidia[0-9]*")
    program = shutil.which("nvidia-smi")
    why = "nvidia-smi is not on the PATH"
    if program is not None:
        listed, text = _said([program, "-L"])
        if listed:
            return parse_listing(text)
        why = f"{LISTING}: {text}"
    if nodes:
        raise TrainingError(
            "GPUs are there and cannot be listed",
            where=", ".join(sorted(nodes)),
            why=why,
            do="mend the driver, or set device: cpu",
        )
    return []


def _said(command: list[str]) -> tuple[bool, str]:
    """Whether a command went well, and what it said."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LONGEST_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    said = " ".join((done.stdout + done.stderr).split()) or f"exit code {done.returncode}"
    return done.returncode == 0, done.stdout if done.returncode == 0 else said


def memory_of(device: str) -> int | None:
    """Bytes of a GPU's memory, by its UUID; None for a slice, and where nothing tells."""
    program = shutil.which("nvidia-smi")
    if program is None or device.startswith("MIG-"):
        return None
    listed, text = _said([program, f"--id={device}", *MEMORY])
    return int(text) * 2**20 if listed and text.strip().isdigit() else None


def parse_listing(text: str) -> list[Gpu]:
    """What `nvidia-smi -L` says.

    Example:
        >>> parse_listing("GPU 0: NVIDIA H200 (UUID: GPU-1a2b)")
        [Gpu(number=0, model='NVIDIA H200', uuid='GPU-1a2b', slices=[])]
    """
    found: list[Gpu] = []
    for line in text.splitlines():
        if whole := GPU.match(line):
            found.append(Gpu(int(whole[1]), whole[2], whole[3]))
        elif found and (part := SLICE.match(line)):
            found[-1].slices.append(part[1])
    return found


def _until_none(named: str) -> list[str]:
    """The names before one that ends the list."""
    names = [name.strip() for name in named.split(",") if name.strip()]
    ends = [i for i, name in enumerate(names) if name in NONE]
    return names[: ends[0]] if ends else names


def _without_a_listing(names: list[str]) -> list[str]:
    """UUIDs as they are given; without nvidia-smi nothing tells what a number means."""
    if all(name.startswith(("GPU-", "MIG-")) for name in names):
        return names
    raise TrainingError(
        "CUDA_VISIBLE_DEVICES names GPUs, and none is there",
        where=f"CUDA_VISIBLE_DEVICES={','.join(names)}",
        why=f"{LISTING} lists none",
        do="unset it, or set device: cpu",
    )


def _require_one_order(names: list[str], gpus: list[Gpu]) -> None:
    """Numbers must mean one thing: by default CUDA counts the fastest model first, not the bus."""
    numbers = [name for name in names if name.isdigit()]
    by_bus = os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"
    if by_bus or not numbers or len({gpu.model for gpu in gpus}) == 1:
        return
    if len(set(numbers)) < len(gpus):
        raise TrainingError(
            "CUDA_VISIBLE_DEVICES may mean one GPU or another",
            where=f"CUDA_VISIBLE_DEVICES={','.join(names)}",
            why="GPUs of several models are counted by speed, or by bus where CUDA_DEVICE_ORDER "
            "says so",
            do=f"export CUDA_DEVICE_ORDER=PCI_BUS_ID, or name UUIDs, which {LISTING} shows",
        )


def _meant(name: str, gpus: list[Gpu]) -> list[str]:
    """UUIDs that one entry stands for: a number, a UUID or the beginning of one."""
    if name.isdigit():
        found = [gpu.parts for gpu in gpus if gpu.number == int(name)]
    else:
        found = [gpu.parts for gpu in gpus if gpu.uuid.startswith(name)]
        found += [[s] for gpu in gpus for s in gpu.slices if s.startswith(name)]
    if len(found) != 1:
        there = ", ".join(part for gpu in gpus for part in gpu.parts)
        raise TrainingError(
            f"CUDA_VISIBLE_DEVICES names {len(found) or 'no'} GPUs by {name!r}",
            where=f"CUDA_VISIBLE_DEVICES={os.environ['CUDA_VISIBLE_DEVICES']}",
            why=f"there are {there}",
            do=f"name UUIDs, which {LISTING} shows, or unset it",
        )
    return found[0]
