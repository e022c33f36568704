"""GPUs: whether there are any, whether torch can use them, who leases them."""

from collections.abc import Iterator

from physiome.devices.leases import locks_of
from physiome.devices.listing import visible_devices
from physiome.doctor.finding import Finding
from physiome.doctor.processes import command, holder
from physiome.errors import TrainingError


def gpus(wanted: str) -> Iterator[Finding]:
    """What `device` of the configuration ("auto", "cpu", "cuda") will meet.

    torch is imported only if there is a device.
    """
    if wanted == "cpu":
        yield Finding("ok", "GPU", "none is asked for (device: cpu)")
        return
    try:
        devices = visible_devices()
    except TrainingError as error:
        yield Finding("FAIL", "GPU", f"{error.where}: {error.what}: {error.why}", error.do)
        return
    if not devices and wanted == "cuda":
        yield Finding("FAIL", "GPU", "none is visible, device is cuda", "set device: auto or cpu")
    elif not devices:
        yield Finding(
            "warn",
            "GPU",
            "none is visible: trainings compute on the CPU",
            "if there should be one: CUDA_VISIBLE_DEVICES, the driver",
        )
    else:
        yield _usable(devices)
        yield from _leases(devices)


def _usable(devices: list[str]) -> Finding:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Finding("ok", "GPU", ", ".join(names))
    built = torch.version.cuda
    why = "it is built without CUDA" if built is None else f"it is built for CUDA {built}"
    text = f"{', '.join(devices)} visible, but torch {torch.__version__} cannot use it: {why}"
    do = "install the torch for your driver, or set device: cpu"
    return Finding("FAIL", "GPU", text, do)  # a job would lease it, and end so


def _leases(devices: list[str]) -> Iterator[Finding]:
    for device in devices:
        for path in locks_of(device):
            pid = holder(path)
            if pid is not None:
                text = f"{device} is leased by process {pid} ({command(pid)})"
                yield Finding("warn", "GPU lease", text, "a training waits until that process ends")
