"""A machine without a GPU stands in for one: systems without values, autocast as CUDA's.

Tensors are torch's fake ones, of the device "cpu", since gradients of fake CUDA tensors need a
torch built for CUDA. What torch does otherwise on a GPU is set right here: which operations
autocast puts into float32; attention, RMS norm and dropout as one kernel each.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from physiome.methods.base import Method
from tests.estimate.count import Counted, tensors
from tests.estimate.regions import Regions

KEY = "AutocastCPU"
IS_CPU = Tensor.is_cpu.__get__  # pyright: ignore[reportAttributeAccessIssue]
# What CUDA's autocast computes in float32 and the CPU's does not: ATen/autocast_mode.h
FLOAT32 = (
    "exp", "log", "log10", "log2", "log1p", "reciprocal", "rsqrt", "pow.Tensor_Scalar",
    "pow.Tensor_Tensor", "softplus", "layer_norm", "group_norm", "cosine_similarity", "logsumexp",
)  # fmt: skip
FLOAT32_RESULT = ("sum", "sum.dim_IntList", "softmax.int", "log_softmax.int", "cumsum")
FILLS = {"normal_", "uniform_", "erfinv_", "exponential_"}


class Unfilled(TorchDispatchMode):
    """Random starting weights are zeros: nobody looks at them, and drawing them takes long.

    They must be in range all the same: torch draws truncated normals until every one is.
    """

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name, kwargs = func.overloadpacket.__name__, kwargs or {}
        if name in FILLS:
            return args[0].zero_()
        if name in ("randn", "rand"):
            return torch.zeros(args[0], dtype=kwargs.get("dtype"))
        return func(*args, **kwargs)


def without_values(method: Method, fake: FakeTensorMode) -> Method:
    """The method with fake parameters and buffers, but for those that no device takes: counters."""
    method = method.to("meta")
    for part in method.modules():
        held: dict[str, Tensor | None]
        for held in (part._parameters, part._buffers):  # pyright: ignore[reportAssignmentType]
            for name, x in held.items():
                if x is None or not x.is_meta:
                    continue
                with fake:
                    empty = torch.empty_strided(x.shape, x.stride(), dtype=x.dtype)
                learned = isinstance(x, nn.Parameter)
                held[name] = nn.Parameter(empty, x.requires_grad) if learned else empty
    return method


@torch.library.custom_op("estimate::attention", mutates_args=())
def attention(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Fused attention: (B, heads, N, D), and a row's normaliser (B, heads, N) for the gradient."""
    raise NotImplementedError("it is only counted")


@attention.register_fake
def _(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    return torch.empty_like(q), q.new_empty(q.shape[:3], dtype=torch.float32)


@torch.library.custom_op("estimate::attention_backward", mutates_args=())
def attention_backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, rows: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of q, k and v."""
    raise NotImplementedError("it is only counted")


@attention_backward.register_fake
def _(grad, q, k, v, out, rows):
    return torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)


def _keep(ctx, inputs, output) -> None:
    ctx.save_for_backward(*inputs, *output)


def _gradients(ctx, grad, _):
    return attention_backward(grad, *ctx.saved_tensors)


attention.register_autograd(_gradients, setup_context=_keep)


@torch.library.custom_op("estimate::rms_norm", mutates_args=())
def rms_norm(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Fused RMS norm over the last dimension, and its factor (..., 1) for the gradient."""
    raise NotImplementedError("it is only counted")


@rms_norm.register_fake
def _(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x), x.new_empty((*x.shape[:-1], 1), dtype=torch.float32)


@torch.library.custom_op("estimate::rms_norm_backward", mutates_args=())
def rms_norm_backward(
    grad: Tensor, x: Tensor, weight: Tensor, factor: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of x and weight."""
    raise NotImplementedError("it is only counted")


@rms_norm_backward.register_fake
def _(grad, x, weight, factor):
    return torch.empty_like(x), torch.empty_like(weight)


rms_norm.register_autograd(
    lambda ctx, grad, _: rms_norm_backward(grad, *ctx.saved_tensors),
    setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs, output[1]),
)


class AsOnCuda(TorchFunctionMode):
    """Attention, RMS norm and dropout as single operations; no tensor says that it is on the CPU.

    What a function is told to make on a device is made there, and what it makes on the way if it is
    given something from there, gradients too; what is made elsewhere is drawn, until it is sent.
    """

    def __init__(self, counted: Counted):
        super().__init__()
        self.counted = counted

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func == IS_CPU:
            return False
        if func is Tensor.to and isinstance(args[-1], torch.device):
            return self.counted.sent(args[0])
        if func is F.scaled_dot_product_attention:
            q, k, v = args[:3]
            if torch.is_autocast_enabled("cpu"):
                q, k, v = (x.to(torch.bfloat16) for x in (q, k, v))
            return attention(q, k, v)[0]
        if func is F.rms_norm:
            weight = kwargs.get("weight", args[2] if len(args) > 2 else None)
            # Without weights, or those of another type, torch takes it apart on a GPU, too.
            if weight is not None and weight.dtype == args[0].dtype:
                return rms_norm(args[0], weight)[0]
        if func is F.dropout and kwargs.get("training", True):
            rate = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
            return torch.native_dropout(args[0], rate, True)[0]
        given = [*tensors(args), *tensors(kwargs.values())]
        told = kwargs.get("device") is not None and not given
        self.counted.makes = told or any(isinstance(x, FakeTensor) for x in given)
        try:
            return func(*args, **kwargs)
        finally:
            self.counted.makes = False


@contextmanager
def as_on_cuda(fake: FakeTensorMode, regions: Regions | None = None) -> Iterator[Counted]:
    """Within, the CPU's autocast does as CUDA's; yields the counter."""
    with ExitStack() as held:
        library = held.enter_context(torch.library._scoped_library("aten", "IMPL"))
        for name in FLOAT32:
            library.impl(name, partial(_in_float32, _overload(name)), KEY)
        for name in FLOAT32_RESULT:
            library.impl(name, partial(_to_float32, _overload(name)), KEY)
        counted = held.enter_context(Counted(fake, regions))
        held.enter_context(AsOnCuda(counted))
        yield counted


def _overload(name: str) -> Any:
    packet, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, packet), overload or "default")


def _below() -> Any:
    keys = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastCPU)
    return torch._C._ExcludeDispatchKeyGuard(keys)


def _in_float32(op: Any, *args: Any, **kwargs: Any) -> Any:
    """Inputs of 16 bits are cast first."""
    with _below():
        return op(*[x.float() if _narrow(x) else x for x in args], **kwargs)


def _to_float32(op: Any, x: Tensor, *args: Any, **kwargs: Any) -> Any:
    """The result is in float32, without a cast before."""
    with _below():
        if _narrow(x) and kwargs.get("dtype") is None:
            places = [a.name for a in op._schema.arguments].index("dtype")
            args = args[: places - 1]
            kwargs["dtype"] = torch.float32
        return op(x, *args, **kwargs)


def _narrow(x: Any) -> bool:
    return isinstance(x, Tensor) and x.dtype in (torch.bfloat16, torch.float16)
