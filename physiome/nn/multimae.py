"""The decoder of one modality's patches: cross-attention into everything that was encoded."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from physiome.nn.masking import put_tokens, take_tokens
from physiome.nn.patches import grid_positions
from physiome.nn.transformer import NORM_EPS, Transformer, attend, initialise


class CrossAttention(nn.Module):
    """Multi-head attention of queries to a context, both normalised first."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm_queries = nn.LayerNorm(width, eps=NORM_EPS)
        self.norm_context = nn.LayerNorm(width, eps=NORM_EPS)
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, queries: Tensor, context: Tensor) -> Tensor:
        """(B, N, D), (B, K, D) -> (B, N, D)."""
        k, v = self.kv(self.norm_context(context)).chunk(2, dim=-1)
        q = self.q(self.norm_queries(queries))
        # Each (B, heads, N or K, D / heads).
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (q, k, v))
        return self.proj(attend(q, k, v).transpose(1, 2).flatten(2))


class ImageDecoder(nn.Module):
    """Features of all patches of one modality, from the encoded visible patches of all.

    As in the published MultiMAE code: the queries are the modality's own tokens, mask tokens in
    the place of hidden ones; there is no residual sum around the cross-attention. Ours ends with a
    LayerNorm.

    Args:
        modality: whose patches it decodes.
        modalities: all that the encoder may have seen.
        grid: rows and columns of patches.
        inputs: width of the encoder's tokens; `width` inside.
        depth: self-attention blocks behind the cross-attention.
    """

    positions: Tensor

    compiles = True  # see nn/blocks.py

    def __init__(
        self,
        modality: str,
        modalities: Sequence[str],
        grid: tuple[int, int],
        inputs: int,
        width: int,
        depth: int,
        heads: int,
    ):
        super().__init__()
        self.modality = modality
        self.enter = nn.Linear(inputs, width)
        self.mask_token = nn.Parameter(torch.randn(width) * 0.02)
        self.modality_tokens = nn.ParameterDict(
            {m: nn.Parameter(torch.randn(width) * 0.02) for m in modalities}
        )
        self.register_buffer("positions", grid_positions(*grid, width), persistent=False)
        self.cross = CrossAttention(width, heads)
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.transformer = Transformer(width, depth, heads)
        initialise(self, apart=True)

    def forward(self, encoded: Tensor, visible: Tensor, present: Sequence[str]) -> Tensor:
        """Decode.

        Args:
            encoded: (B, 1 + V, inputs), the global token first, then the visible patches.
            visible: (B, V), their places in the sequence of the present modalities' patches.
            present: the modalities of that sequence, in its order.

        Returns:
            Features (B, N, width) of the N patches of this decoder's modality.
        """
        entered = self.enter(encoded)
        codes = torch.cat([self.positions + self.modality_tokens[m] for m in present])
        filled = put_tokens(entered[:, 1:], visible, len(codes), self.mask_token) + codes
        queries = filled.chunk(len(present), dim=1)[list(present).index(self.modality)]
        context = torch.cat([entered[:, :1], take_tokens(filled, visible)], dim=1)
        x = self.cross(queries, context)
        x = x + self.mlp(self.norm(x))
        return self.transformer(x)
