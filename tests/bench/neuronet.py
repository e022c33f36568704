"""DP-NeuroNet's training step against the published arrangement of the same mathematics."""

from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from physiome.methods.build import build_encoder
from physiome.methods.neuronet import DPNeuroNet
from physiome.training.runtime import keep_freed_memory
from tests.bench import common
from tests.bench.common import Row
from tests.bench.published import Published
from tests.bench.published_frames import same_modules
from tests.estimate.steps import Steps

BATCH = 32


def rows(quick: bool) -> list[Row]:
    """Ratios on the CPU, and on a GPU if there is one."""
    table = _on_cpu(quick)
    if torch.cuda.is_available():
        return table + _on_gpu(quick)
    return [*table, Row("DP-NeuroNet on a GPU", "skipped: no GPU here")]


def _model(device: str) -> tuple[DPNeuroNet, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    settings = common.sleep_settings()
    model = build_encoder(settings, settings.modalities[0])
    assert isinstance(model, DPNeuroNet)
    samples = torch.randn(BATCH, 3000, device=device)
    return model.to(device).train(), {model.modalities[0]: samples}


def _on_cpu(quick: bool) -> list[Row]:
    keep_freed_memory()  # as the steps do
    model, batch = _model("cpu")
    slow = Published(model)
    runs = {
        "fp32": common.training_step(model, model.loss, batch, "cpu", bf16=False),
        "bf16": common.training_step(model, model.loss, batch, "cpu", bf16=True),
        "published": common.training_step(model, slow.loss, batch, "cpu", bf16=False),
        "matrix": common.matrix_product(torch.float32, "cpu"),
        "copy": common.memory_copy("cpu"),
    }
    if not quick:
        alike = Published(model, same_modules)
        runs["alike"] = common.training_step(model, alike.loss, batch, "cpu", bf16=False)
    flop, slow_flop = (_flop(model, m.loss, "cpu") for m in (model, slow))
    seconds = common.in_turn(runs, 2 if quick else 5, "cpu")
    share = _share(flop, seconds["fp32"], seconds["matrix"])
    rate = common.COPY_BYTES / seconds["copy"]
    moved = _moved() / seconds["fp32"] / rate
    fp32, bf16 = (seconds["published"] / seconds[name] for name in ("fp32", "bf16"))
    note = f"batch {BATCH}, {torch.get_num_threads()} threads"
    table = [
        Row(f"published arrangement, fp32, {note}", _speed(seconds["published"])),
        Row(
            "DP-NeuroNet step, fp32",
            f"{_speed(seconds['fp32'])}, {fp32:.2f} x published",
            "3.5 x",
            fp32 >= 3.5,
        ),
        Row(
            "DP-NeuroNet step, bf16",
            f"{_speed(seconds['bf16'])}, {bf16:.2f} x published fp32",
            "3.5 x",
            bf16 >= 3.5,
        ),
        Row("GFLOP per segment, ours / published", f"{flop / 1e9:.1f} / {slow_flop / 1e9:.1f}"),
        Row(
            "share of the machine's fp32 matrix rate",
            f"{share:.0%} of {common.MATRIX_FLOP / seconds['matrix'] / 1e9:.0f} GFLOP/s",
        ),
        Row(
            "share of its memory rate, each operation reading and writing",
            f"{moved:.0%} of {rate / 1e9:.1f} GB/s",
        ),
    ]
    if not quick:
        ratio = seconds["alike"] / seconds["fp32"]
        table.append(Row("the same, against its arrangement of our layers", f"{ratio:.2f} x"))
    return table


def _on_gpu(quick: bool) -> list[Row]:
    model, batch = _model("cuda")
    slow = Published(model)
    runs = {
        "ours": common.training_step(model, model.loss, batch, "cuda", bf16=True),
        "published": common.training_step(model, slow.loss, batch, "cuda", bf16=True),
        "matrix": common.matrix_product(torch.bfloat16, "cuda"),
    }
    flop = _flop(model, model.loss, "cuda")
    seconds = common.in_turn(runs, 5 if quick else 20, "cuda")
    ratio = seconds["published"] / seconds["ours"]
    share = _share(flop, seconds["ours"], seconds["matrix"])
    device = torch.cuda.get_device_name()
    return [
        Row(
            f"DP-NeuroNet step, bf16, {device}, batch {BATCH}",
            f"{_speed(seconds['ours'])}, {ratio:.1f} x published",
            "10 x",
            ratio >= 10,
        ),
        Row("share of its bf16 matrix rate", f"{share:.0%}"),
    ]


def _moved() -> float:
    """Bytes that the operations of a step in float32 read and write, as if nothing were cached."""
    model, _ = _model("cpu")
    steps = Steps(model, common.sleep_settings().window.samples, BATCH, bf16=False)
    steps.optimise("adamw")
    return sum(op.bytes for op in steps.step(0, labelled=False).ops)


def _flop(model: DPNeuroNet, loss: Callable, device: str) -> float:
    """Floating-point operations of a step per segment, counted on a small batch."""
    batch = {model.modalities[0]: torch.randn(2, 3000, device=device)}
    with FlopCounterMode(display=False) as counter:
        model.total(loss(batch, torch.Generator(device).manual_seed(0))).backward()
    return counter.get_total_flops() / 2


def _share(flop: float, seconds: float, matrix_seconds: float) -> float:
    """Operations per second of a step, relative to the matrix product's."""
    return (flop * BATCH / seconds) / (common.MATRIX_FLOP / matrix_seconds)


def _speed(seconds: float) -> str:
    return f"{BATCH / seconds:.1f} segments/s"
