"""MultiMAE (Bachmann et al., ECCV 2022): masked patches of all modalities from a few visible ones.

Changed for signals: the modalities are spectrogram images of one channel; targets are raw pixels,
since normalising each patch would erase absolute power; the encoder is ViT-S, smaller than the
published ViT-B, and ends with a LayerNorm. Changed so that the embedding keeps what was learned: it
averages over time only, and over the observed modalities, while rows of patches (bands of
frequency) stay apart. The original's mean over all patches (`embedding: mean`) says little about
frequency: of a small model trained on ICU records it tells the mean pressure of a window of unseen
subjects with R2 0.27, the rows of the same weights with 0.80.

Not reproduced: the losses of depth and label maps and the second head for normalised pixels, which
have no analogue here.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from physiome.config.systems.multimae import MultiMAESpec
from physiome.errors import ConfigError
from physiome.methods.base import Inputs, Signals
from physiome.methods.images import ImageMethod
from physiome.nn.losses import masked_mse_per_sample
from physiome.nn.masking import masked_positions, take_tokens
from physiome.nn.multimae import ImageDecoder
from physiome.nn.patches import grid_positions, patchify, visible_patches
from physiome.nn.transformer import Transformer, initialise


class MultiMAE(ImageMethod):
    """One encoder for the visible patches of all modalities, one decoder per modality.

    A missing modality has no tokens: nothing stands in for it, in training or at inference.

    Raises:
        ConfigError: if as many patches are visible as there are.
    """

    departure = "embedding averages over time, not over frequency"
    positions: Tensor

    def __init__(
        self, spec: MultiMAESpec, inputs: Inputs, weights: Mapping[str, float] | None = None
    ):
        super().__init__(inputs, spec.image, weights or {"pixels": 1.0})
        self.spec = spec
        if spec.embedding == "mean":  # the original's
            self.departure = ""
        grid = (spec.image.bins // spec.patch, spec.image.frames // spec.patch)
        self.rows, self.n = grid[0], grid[0] * grid[1]  # patches of a modality: in a column, all
        if spec.visible >= len(self.modalities) * self.n:
            raise ConfigError(
                f"{spec.visible} visible patches leave none to be rebuilt",
                why=f"images of {len(self.modalities)} modalities have {self.n} patches each",
                do="lower visible or patch, or choose larger images",
            )
        pixels, decoder = spec.patch**2, spec.decoder_width
        self.enter = nn.ModuleDict({m: nn.Linear(pixels, spec.width) for m in self.modalities})
        self.register_buffer("positions", grid_positions(*grid, spec.width), persistent=False)
        self.global_token = nn.Parameter(torch.randn(spec.width) * 0.02)
        self.encoder = Transformer(spec.width, spec.depth, spec.heads)
        self.decoders = nn.ModuleDict(
            {
                m: ImageDecoder(
                    m,
                    self.modalities,
                    grid,
                    spec.width,
                    decoder,
                    spec.decoder_depth,
                    spec.decoder_heads,
                )
                for m in self.modalities
            }
        )
        self.pixel_heads = nn.ModuleDict({m: nn.Linear(decoder, pixels) for m in self.modalities})
        for part in (self.enter, self.encoder, self.pixel_heads):
            initialise(part, apart=True)

    @classmethod
    def build(cls, spec: MultiMAESpec, inputs: Inputs, parents: Sequence[Any]) -> Self:
        """From the section `method`; begins with nothing."""
        return cls(spec, inputs)

    # Training

    def loss(self, batch: Signals, rng: torch.Generator) -> dict[str, Tensor]:
        """Term pixels: the error at masked patches, summed over the batch's modalities."""
        patches = self.patches(batch)
        visible = self.draw_visible(patches, rng)
        return {"pixels": self.pixel_loss(self.rebuild(patches, visible), patches, visible)}

    def learns_from(self, modalities: Sequence[str]) -> bool:
        """Not from windows all of whose patches are visible."""
        return len(modalities) * self.n > self.spec.visible

    def draw_visible(self, patches: Mapping[str, Tensor], rng: torch.Generator) -> Tensor:
        """Indices (B, V) of visible patches in the sequence of the given modalities."""
        first = next(iter(patches.values()))
        allowed = torch.ones(len(first), len(patches), dtype=torch.bool, device=first.device)
        count = min(self.spec.visible, len(patches) * self.n)
        return visible_patches(allowed, self.n, count, rng)

    def rebuild(self, patches: Mapping[str, Tensor], visible: Tensor) -> dict[str, Tensor]:
        """Modality -> decoded features (B, N, decoder width) of all its patches."""
        encoded = self.encode_tokens(take_tokens(self.tokens(patches), visible))
        return {m: self.decoders[m](encoded, visible, list(patches)) for m in patches}

    def pixel_loss(
        self, features: Mapping[str, Tensor], patches: Mapping[str, Tensor], visible: Tensor
    ) -> Tensor:
        """Squared error per pixel of masked patches: mean per sample, over samples; then a sum."""
        masks = masked_positions(visible, len(patches) * self.n).chunk(len(patches), dim=1)
        losses = [
            masked_mse_per_sample(self.pixel_heads[m](features[m]), patches[m], mask)
            for m, mask in zip(patches, masks, strict=True)
        ]
        return torch.stack(losses).sum()

    # Shared

    def patches(self, observed: Signals) -> dict[str, Tensor]:
        """Modality -> patches (B, N, pixels) of its image, in the modalities' order."""
        return {m: patchify(x, self.spec.patch) for m, x in self.image(observed).items()}

    def tokens(self, patches: Mapping[str, Tensor]) -> Tensor:
        """Embedded patches of the given modalities, one modality after the other (B, M N, D)."""
        return torch.cat([self.enter[m](x) + self.positions for m, x in patches.items()], dim=1)

    def encode_tokens(self, tokens: Tensor) -> Tensor:
        """(B, K, D) -> (B, 1 + K, D): the encoder's output, with the global token first."""
        first = self.global_token.to(tokens.dtype).expand(len(tokens), 1, -1)
        return self.encoder(torch.cat([first, tokens], dim=1))

    # Inference

    def encode(self, observed: Signals) -> dict[str, Tensor]:
        """Modality -> embedded patches (B, N, D)."""
        return {m: self.tokens({m: x}) for m, x in self.patches(observed).items()}

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """Means of the encoded patches, without the global token.

        Rows: over time and the observed modalities, (B, rows D), as wide for every subset. Mean:
        over all patches, (B, D).
        """
        tokens = torch.cat([encoded[m] for m in self.modalities if m in encoded], dim=1)
        patches = self.encode_tokens(tokens)[:, 1:]  # (B, M N, D)
        if self.spec.embedding == "mean":
            return patches.mean(dim=1)
        grid = patches.unflatten(1, (len(encoded), self.rows, -1))  # (B, M, rows, columns, D)
        return grid.mean(dim=(1, 3)).flatten(1)
