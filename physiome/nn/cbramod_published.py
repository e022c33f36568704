"""Weights that the authors of CBraMod published, taken into an encoder of ours.

Their file is a state dictionary (Wang et al., ICLR 2025, public code; the port in braindecode has
the same names): 12 criss-cross layers of width 200 over patches of 200 samples at 200 Hz, trained
on EEG in units of 100 uV. Every entry is accounted for: taken, or named here as one that has no
place.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from physiome.config.systems.cbramod import CBraModSpec
from physiome.errors import DataError
from physiome.nn.cbramod import POSITIONS, CrissCrossEncoder
from physiome.nn.cbramod_leads import SPAN, LeadEncoder

SCALE_UV = 100.0  # what one unit of their input is
MASK = "patch_embedding.mask_encoding"  # what stands for masked patches: zeros, never trained
CONVOLUTIONS, NORMS = (0, 3, 6), (1, 4, 7)  # of the patch embedding


class Place(NamedTuple):
    """Where an entry of theirs belongs."""

    theirs: str
    ours: str
    third: bool = False  # whether only its last third is taken: of queries, keys, values the values
    middle: bool = False  # whether only its middle row over leads is


def published_shapes(spec: CBraModSpec) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every entry of such a file, for a network of these sizes."""
    width, half, patch = spec.width, spec.width // 2, "patch_embedding"
    found: dict[str, tuple[int, ...]] = {
        MASK: (spec.patch,),
        f"{patch}.positional_encoding.0.weight": (width, 1, SPAN, POSITIONS),
        f"{patch}.positional_encoding.0.bias": (width,),
        f"{patch}.spectral_proj.0.weight": (width, spec.patch // 2 + 1),
        f"{patch}.spectral_proj.0.bias": (width,),
        "proj_out.0.weight": (spec.patch, width),
        "proj_out.0.bias": (spec.patch,),
    }
    for i, n in zip(CONVOLUTIONS, NORMS, strict=True):
        kernel = (1, 1, spec.kernel) if i == 0 else (spec.channels, 1, 3)
        found[f"{patch}.proj_in.{i}.weight"] = (spec.channels, *kernel)
        for name in (f"{i}.bias", f"{n}.weight", f"{n}.bias"):
            found[f"{patch}.proj_in.{name}"] = (spec.channels,)
    for layer in (f"encoder.layers.{n}" for n in range(spec.depth)):
        for part in (f"{layer}.self_attn_s", f"{layer}.self_attn_t"):
            found |= {
                f"{part}.in_proj_weight": (3 * half, half),
                f"{part}.in_proj_bias": (3 * half,),
            }
            found |= {f"{part}.out_proj.weight": (half, half), f"{part}.out_proj.bias": (half,)}
        found |= {f"{layer}.linear1.weight": (spec.feed_forward, width)}
        found |= {f"{layer}.linear1.bias": (spec.feed_forward,)}
        found |= {f"{layer}.linear2.weight": (width, spec.feed_forward)}
        for name in ("linear2.bias", "norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"):
            found[f"{layer}.{name}"] = (width,)
    return found


def read_published(path: str | Path, spec: CBraModSpec) -> dict[str, Tensor]:
    """The entries of a published file.

    Raises:
        DataError: there is no file; it is too large, not a dictionary of tensors, or of another
            network than the configured one: what is missing, unknown or of another shape.
    """
    path, wanted = Path(path), published_shapes(spec)
    if not path.is_file():
        raise DataError("published weights are not there", where=path, do="correct the path")
    largest = 4 * (sum(map(_size, wanted.values())) * 4 + 1_000_000)
    if path.stat().st_size > largest:
        raise DataError(
            "not published weights of CBraMod",
            where=path,
            why=f"{path.stat().st_size} bytes, at most {largest} were expected",
        )
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever unpickling a foreign file may raise
        raise DataError(
            "not published weights of CBraMod",
            where=path,
            why=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
        ) from None
    if not isinstance(found, Mapping) or not all(isinstance(x, Tensor) for x in found.values()):
        raise DataError("not a dictionary of tensors", where=path, do="give the published file")
    shapes = {str(name): tuple(x.shape) for name, x in found.items()}
    odd = [f"{n} is missing" for n in wanted if n not in shapes]
    odd += [f"{n} is unknown" for n in shapes if n not in wanted]
    odd += [f"{n} is {shapes[n]}, not {s}" for n, s in wanted.items() if shapes.get(n, s) != s]
    if odd:
        more = f" and {len(odd) - 3} more" if odd[3:] else ""
        raise DataError(
            "weights of another network",
            where=path,
            why="; ".join(odd[:3]) + more,
            do="give the published file and the published sizes (systems.cbramod in config.yaml)",
        )
    if found[MASK].any():
        raise DataError(f"{MASK} is not zero", where=path, why="masked patches would not be zeros")
    return dict(found)


def take_published(
    found: Mapping[str, Tensor], encoder: LeadEncoder | CrissCrossEncoder, output: nn.Linear
) -> set[str]:
    """Copy the entries to where they belong.

    Of a single channel attention over leads is its value and output projection, and the positional
    convolution its middle row: the rest of these entries has no place.

    Args:
        found: from `read_published`.
        output: the layer that predicts masked patches.

    Returns:
        The entries that were taken, in whole or in part; all but the mask's.
    """
    modules = nn.ModuleDict({"encoder": encoder, "output": output})
    state, taken = modules.state_dict(), {}
    single = isinstance(encoder, CrissCrossEncoder)
    depth = 1 + max(int(n.split(".")[2]) for n in found if n.startswith("encoder.layers."))
    for place in _places(depth, single):
        value = found[place.theirs]
        value = value.chunk(3)[2] if place.third else value
        taken[place.ours] = value[:, :, SPAN // 2] if place.middle else value
    assert taken.keys() == state.keys(), "an entry of ours gets nothing"
    modules.load_state_dict(taken)
    return {place.theirs for place in _places(depth, single)}


def _places(depth: int, single: bool) -> Iterator[Place]:
    """Every tensor of ours and where it comes from."""
    first = "encoder.0" if single else "encoder.embedding"
    theirs = "patch_embedding"
    for kind in ("weight", "bias"):
        for i in (*CONVOLUTIONS, *NORMS):
            yield Place(f"{theirs}.proj_in.{i}.{kind}", f"{first}.waveform.{i}.{kind}")
        yield Place(f"{theirs}.spectral_proj.0.{kind}", f"{first}.spectrum.0.{kind}")
        yield Place(
            f"{theirs}.positional_encoding.0.{kind}",
            f"{first}.positions.{kind}",
            middle=single and kind == "weight",
        )
        yield Place(f"proj_out.0.{kind}", f"output.{kind}")
        for n in range(depth):
            layer = f"encoder.layers.{n}"
            block = f"encoder.{n + 1}" if single else f"encoder.blocks.{n}"
            for norm in ("norm1", "norm2"):
                yield Place(f"{layer}.{norm}.{kind}", f"{block}.{norm}.{kind}")
            yield Place(f"{layer}.linear1.{kind}", f"{block}.mlp.0.{kind}")
            yield Place(f"{layer}.linear2.{kind}", f"{block}.mlp.3.{kind}")
            yield from _attention(f"{layer}.self_attn_t", f"{block}.attention.over_time", kind)
            if not single:
                yield from _attention(f"{layer}.self_attn_s", f"{block}.attention.over_leads", kind)
                continue
            values, attention = f"{layer}.self_attn_s.in_proj_{kind}", f"{block}.attention"
            yield Place(values, f"{attention}.value.{kind}", third=True)
            yield Place(f"{layer}.self_attn_s.out_proj.{kind}", f"{attention}.proj.{kind}")


def _attention(theirs: str, ours: str, kind: str) -> Iterator[Place]:
    yield Place(f"{theirs}.in_proj_{kind}", f"{ours}.qkv.{kind}")
    yield Place(f"{theirs}.out_proj.{kind}", f"{ours}.proj.{kind}")


def _size(shape: tuple[int, ...]) -> int:
    return int(torch.Size(shape).numel())
