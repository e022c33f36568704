"""Operations of a run on tensors without values: how many, the bytes they move, their arithmetic.

Every operation that is not a view is one launch of a kernel; it reads its inputs once and writes
its outputs once. Views are free. A fused or "foreach" operation on lists is several launches.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    FakeTensor,
    FakeTensorMode,
    in_kernel_invocation_manager,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from tests.estimate.regions import Regions, of_block

aten = torch.ops.aten
CPU = torch.device("cpu")
LIST = 30  # tensors that one kernel on lists takes, about; see ATen's MultiTensorApply.cuh

# Neither a view nor a kernel: memory that is only reserved, metadata
FREE = {
    "empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "_unsafe_view",
    "_reshape_alias", "lift_fresh", "lift", "detach_", "set_", "resize_", "is_same_size",
    "_local_scalar_dense", "result_type", "_record_function_enter_new", "_record_function_exit",
    "scalar_tensor",
}  # fmt: skip
WRITES_ONLY = {"copy_", "fill_", "zero_", "bernoulli_", "uniform_", "normal_", "exponential_"}
INDEXED = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_}
PICKS = {
    "gather",
    "index",
    "index_select",
    "embedding",
}  # read no more of the first than they write
# What a compiler puts into its neighbours' kernels: elementwise operations and copies
FUSES = {
    "_prelu_kernel", "_prelu_kernel_backward", "_to_copy", "abs", "add", "add_", "addcmul",
    "bernoulli_", "bitwise_and", "bitwise_not", "bitwise_or", "cat", "clamp", "clamp_min", "clone",
    "constant_pad_nd", "copy_", "cos", "div", "div_", "elu", "elu_", "elu_backward", "eq", "exp",
    "expand", "fill_", "gather", "ge", "gelu", "gelu_backward", "gt", "hardtanh", "index", "isnan",
    "le", "leaky_relu", "leaky_relu_", "leaky_relu_backward", "lerp", "lerp_", "log", "logical_and",
    "logical_not", "lt", "masked_fill", "masked_fill_", "mul", "mul_", "native_dropout",
    "native_dropout_backward", "ne", "neg", "new_zeros", "ones_like", "pow", "pow_", "reciprocal",
    "reflection_pad2d", "relu", "relu_", "roll", "rsqrt", "rsub", "scalar_tensor",
    "select_backward", "sgn", "sigmoid", "sign", "silu", "silu_", "silu_backward", "sin",
    "slice_backward", "sqrt", "square", "stack", "sub", "sub_", "tanh", "tanh_backward",
    "threshold_backward", "upsample_bilinear2d", "where", "zeros", "zeros_like",
}  # fmt: skip


class Op(NamedTuple):
    """One operation.

    Attributes:
        name: of ATen, without overload.
        launches: kernels.
        bytes: read and written.
        flop: of matrix products and convolutions, two per multiplication and addition.
        narrow: these are of 16-bit numbers.
        fuses: elementwise: a compiler needs no launch of its own for it.
        compiled: in a block, or in its gradient: a compiler sees it.
        once: of a frozen frame network: done once a window where that is kept.
    """

    name: str
    launches: float
    bytes: float
    flop: float
    narrow: bool
    fuses: bool
    compiled: bool = False
    once: bool = False


class Counted(TorchDispatchMode):
    """Notes operations on fake tensors. Those on tensors with values are draws on the CPU.

    `drawn` counts random numbers.

    Args:
        fake: the mode of the fake tensors. A tensor with values that meets one of them becomes one,
            which counts as a copy to the device.
        regions: of the method that runs; None: it has none.
    """

    def __init__(self, fake: FakeTensorMode, regions: Regions | None = None):
        super().__init__()
        self.fake, self.ops, self.drawn = fake, list[Op](), 0
        self.regions = regions or Regions(nn.Module())
        self.makes = False  # what is made from nothing now is made on the device

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.ops.prim.device.default:
            return args[0].fake_device
        given = [*tensors(args), *tensors(kwargs.values())]
        there = any(isinstance(x, FakeTensor) for x in given)
        if not there and not self.makes:
            out = func(*args, **kwargs)  # on the CPU
            self.drawn += out.numel() if kwargs.get("generator") is not None else 0
            return out
        args, kwargs = self.sent(args), {k: self.sent(v) for k, v in kwargs.items()}
        if func.overloadpacket in INDEXED:
            args = (args[0], self._places(args[1]), *args[2:])
        out = self._shapes(func, args, kwargs) if there else self._made(func, args, kwargs)
        if op := operation(func, args, kwargs, out):
            seen = self.regions.inside or of_block()
            self.ops.append(op._replace(compiled=seen, once=self.regions.once))
        return out

    def _made(self, func: Any, args: Any, kwargs: Any) -> Any:
        with self.fake:
            return func(*args, **kwargs)

    def _shapes(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Results without values; remembered, for to find their shapes takes most of the time."""
        if func.is_view and func.namespace == "aten":
            with in_kernel_invocation_manager(self.fake):
                out = func(*args, **kwargs)
            return tree_map_only(Tensor, self._wrapped, out)
        if any(x.alias_info for x in func._schema.arguments) or not func._schema.returns:
            return func(*args, **kwargs)
        key = (func, _shaped(args), _shaped(kwargs.items()))
        if key not in SHAPES:
            out = func(*args, **kwargs)
            each = out if isinstance(out, tuple) else (out,)
            if all(isinstance(x, Tensor) for x in each):
                SHAPES[key] = _shaped(each)
            return out
        each = [self._like(*shaped) for shaped in SHAPES[key]]
        return each[0] if len(func._schema.returns) == 1 else tuple(each)

    def _like(self, shape: torch.Size, strides: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        return self._wrapped(torch.empty_strided(shape, strides, dtype=dtype, device="meta"))

    def _wrapped(self, x: Tensor) -> Tensor:
        return x if isinstance(x, FakeTensor) else FakeTensor(self.fake, x, CPU)

    def _places(self, indices: Sequence[Any]) -> list[Any]:
        """Indices with places instead of masks, which are counted as if they left nothing out."""
        found = []
        for x in indices:
            if x is None or x.dtype != torch.bool:
                found.append(x)
            else:
                moved = 8.0 * x.ndim * x.numel() + x.numel()
                self.ops.append(Op("nonzero", 1.0, moved, 0.0, False, False))
                with self.fake:
                    found += [torch.empty(x.numel(), dtype=torch.int64) for _ in x.shape]
        return found

    def sent(self, value: Any) -> Any:
        """Arguments with every tensor on the device."""
        if isinstance(value, list | tuple):
            return type(value)(self.sent(x) for x in value) if [*tensors(value)] else value
        if not isinstance(value, Tensor) or isinstance(value, FakeTensor):
            return value
        if value.ndim:
            self.ops.append(Op("send", 1.0, float(stored(value)), 0.0, False, False))
        return self.fake.from_tensor(value)


SHAPES: dict[Any, Any] = {}  # operation and what it is given -> shape, strides and type of results


def _shaped(values: Iterable[Any]) -> tuple[Any, ...]:
    """Arguments as a key: tensors by what their results' shapes can depend on."""
    found = []
    for value in values:
        if isinstance(value, Tensor):
            value = (value.shape, value.stride(), value.dtype)
        elif isinstance(value, list | tuple):
            value = _shaped(value)
        found.append((type(value), value) if isinstance(value, bool | int | float) else value)
    return tuple(found)


def tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    """Tensors among some arguments, and in lists among them."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from tensors(value)


def operation(func: Any, args: Sequence[Any], kwargs: dict[str, Any], out: Any) -> Op | None:
    """What an operation costs; None for views and whatever launches nothing."""
    name = func.overloadpacket.__name__
    if func.is_view or name in FREE:
        return None
    read = [*tensors(args), *tensors(kwargs.values())]
    written = [*tensors([out])] or [*mutated(func, args)]
    if name in WRITES_ONLY:
        read = read[1:]
    if name in PICKS:
        read = [*read[1:], *written]
    longest = max(
        (len(a) for a in args if isinstance(a, list | tuple) and [*tensors(a)]), default=1
    )
    on_lists = name.startswith(("_foreach", "_fused"))
    return Op(
        name,
        math.ceil(longest / LIST) if on_lists else 1.0,
        float(sum(map(stored, read)) + sum(map(stored, written))),
        flop(name, args, out),
        bool(read) and read[0].dtype in (torch.bfloat16, torch.float16),
        name in FUSES or (name == "native_batch_norm" and not args[5]),  # in evaluation mode
    )


def mutated(func: Any, args: Sequence[Any]) -> Iterator[Tensor]:
    """Arguments that an operation without results writes."""
    for value, argument in zip(args, func._schema.arguments, strict=False):
        if argument.name == "grads":  # of an optimiser: declared as written, and only read
            continue
        if argument.alias_info is not None and argument.alias_info.is_write:
            yield from tensors([value])


def stored(x: Tensor) -> int:
    """Bytes of a tensor; what `expand` repeats is there once."""
    sizes = [n for n, step in zip(x.shape, x.stride(), strict=True) if step or n == 0]
    return math.prod(sizes) * x.element_size()


def flop(name: str, args: Sequence[Any], out: Any) -> float:
    """Operations of a matrix product, convolution or attention, or of its gradients; else 0."""
    if name == "mm":
        return 2.0 * out.numel() * args[0].shape[1]
    if name == "addmm":
        return 2.0 * out.numel() * args[1].shape[1]
    if name in ("bmm", "baddbmm"):
        return 2.0 * out.numel() * args[name == "baddbmm"].shape[2]
    if name == "convolution":
        return convolution_flop(args[0], args[1], out, args[6])
    if name == "convolution_backward":
        grad, x, weight, transposed, wanted = *args[:3], args[7], args[10]
        return convolution_flop(x, weight, grad, transposed) * sum(wanted[:2])
    if name == "attention":
        q, k = args[:2]  # (B, heads, N, D): scores, and their weighted sum
        return 4.0 * q.numel() * k.shape[2]
    if name == "attention_backward":
        _, q, k = args[:3]  # scores anew, and four products for the gradients
        return 10.0 * q.numel() * k.shape[2]
    return 0.0


def convolution_flop(x: Tensor, weight: Tensor, out: Tensor, transposed: bool) -> float:
    """Of the forward pass, and of the gradient of the input, and of that of the weight.

    A weight is (outputs, inputs / groups, *kernel), transposed (inputs, outputs / groups, *kernel):
    one of its first places is all that one output, transposed one input, has to do with.
    """
    return 2.0 * (x if transposed else out).numel() * weight[0].numel()
