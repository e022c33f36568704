"""GPUs: whether there are any, whether torch can use them, who leases them."""

import os
from collections.abc import Iterator
from pathlib import Path

from physiome.doctor.finding import Finding
from physiome.doctor.processes import command, holder
from physiome.training.runtime import lock_folder, visible_devices


def gpus(wanted: str) -> Iterator[Finding]:
    """What `device` of the configuration ("auto", "cpu", "cuda") will meet.

    torch is imported only if there is a device.
    """
    devices = visible_devices()
    if wanted == "cpu":
        yield Finding("ok", "GPU", "none is asked for (device: cpu)")
    elif not devices and wanted == "cuda":
        yield Finding("FAIL", "GPU", "none is visible, device is cuda", "set device: auto or cpu")
    elif not devices:
        yield Finding(
            "warn",
            "GPU",
            "none is visible: trainings compute on the CPU",
            "if there should be one: CUDA_VISIBLE_DEVICES, the driver",
        )
    else:
        yield _usable(devices, wanted)
        yield from _leases(devices)


def _usable(devices: list[str], wanted: str) -> Finding:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Finding("ok", "GPU", ", ".join(names))
    built = torch.version.cuda
    why = "it is built without CUDA" if built is None else f"it is built for CUDA {built}"
    text = f"{', '.join(devices)} visible, but torch {torch.__version__} cannot use it: {why}"
    do = "install the torch for your driver, or set device: cpu"
    return Finding("FAIL" if wanted == "cuda" else "warn", "GPU", text, do)


def _leases(devices: list[str]) -> Iterator[Finding]:
    if "SLURM_JOB_ID" in os.environ:
        yield Finding("ok", "GPU", f"inside a Slurm job: {', '.join(devices)} of its allocation")
    for device in devices:
        lock: Path = lock_folder() / f"{device.replace('/', '_')}.lock"
        pid = holder(lock)
        if pid is not None:
            text = f"{device} is leased by process {pid} ({command(pid)})"
            yield Finding("warn", "GPU lease", text, "a training waits until that process ends")
