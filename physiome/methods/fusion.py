"""What PhysioME and SynthSleepNet share: tokens of all modalities in one multimodal encoder.

Every modality's tokens enter through an MLP and get positions and a modality token; a transformer
sees them all; modality decoders rebuild the tokens that were masked, and the fused representation
is contrasted with each modality's own.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from physiome.config.systems.physiome import PhysioMESpec
from physiome.config.systems.synthsleepnet import SynthSleepNetSpec
from physiome.errors import ConfigError
from physiome.methods.base import Method
from physiome.nn.draws import send
from physiome.nn.losses import contrast_accuracy, masked_mse, nt_xent
from physiome.nn.masking import masked_positions, n_kept, random_kept
from physiome.nn.tokens import Projection, TokenDecoder, TokenMLP
from physiome.nn.transformer import Transformer, initialise, sincos_positions


class TokenFusion(Method):
    """Multimodal encoder with modality decoders, over tokens e (B, N + 1, D) of each modality.

    Args:
        n: tokens per modality, without the class token.
        inner: width D of the modality encoders.

    Raises:
        ConfigError: if there is one token, of which none could be masked.
    """

    positions: Tensor
    contrasts = ("contrast",)

    def __init__(
        self, modalities: Sequence[str], spec: PhysioMESpec | SynthSleepNetSpec, n: int, inner: int
    ):
        super().__init__(tuple(modalities), {str(t): w for t, w in spec.weights.items()})
        if n < 2:
            raise ConfigError(
                "encoders give one token of a window, of which none can be masked",
                do="choose larger images, shorter frames or longer windows",
            )
        self.n, self.mask_ratio, self.temperature = n, spec.mask_ratio, spec.temperature
        self.normalise_pooled = spec.normalise_pooled
        width, decoder = spec.width, (spec.decoder_width, spec.decoder_depth, spec.decoder_heads)
        self.enter = nn.ModuleDict({m: TokenMLP(inner, width) for m in modalities})
        self.modality_tokens = self.token_tables(width)
        self.register_buffer("positions", sincos_positions(n, width), persistent=False)
        self.fusion = Transformer(width, spec.depth, spec.heads)
        initialise(self.fusion)
        self.decoders = nn.ModuleDict(
            {m: TokenDecoder(width, inner, n, *decoder, fills=True) for m in modalities}
        )
        self.project_fused = Projection(width, *spec.projection)
        self.project = nn.ModuleDict({m: Projection(inner, *spec.projection) for m in modalities})

    def token_tables(self, width: int) -> nn.ParameterDict:
        """A learned table (N, width) per modality."""
        return nn.ParameterDict(
            {m: nn.Parameter(torch.randn(self.n, width) * 0.02) for m in self.modalities}
        )

    def sample(self, batch: int, rng: torch.Generator) -> Tensor:
        """Indices of the tokens that training keeps of a modality: (batch, kept)."""
        kept = random_kept(batch, self.n, n_kept(self.n, self.mask_ratio), rng)
        return send(kept, next(self.parameters()).device)

    def enter_tokens(self, m: str, e: Tensor) -> Tensor:
        """z = MLP(e without its class token) + pe + mt: (B, N + 1, D) -> (B, N, width)."""
        return self.coded(m, self.enter[m](e[:, 1:]))

    def coded(self, m: str, tokens: Tensor) -> Tensor:
        """Tokens with their positions and modality token."""
        return tokens + (self.positions + self.modality_tokens[m])

    def fuse_tokens(self, tokens: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Concatenate in the modalities' order, encode, take apart again, by name."""
        names = [m for m in self.modalities if m in tokens]
        parts = [tokens[m] for m in names]
        fused = self.fusion(torch.cat(parts, dim=1)).split([p.shape[1] for p in parts], dim=1)
        return dict(zip(names, fused, strict=True))

    def intra(
        self,
        fused: Mapping[str, Tensor],
        encoded: Mapping[str, Tensor],
        sampled: Mapping[str, Tensor],
    ) -> Tensor:
        """Masked prediction (eq. 3), averaged over the sampled modalities.

        Args:
            fused: (B, K, width) of each sampled modality.
            encoded: its tokens e (B, N + 1, D), the targets.
            sampled: indices (B, K) of the tokens that were kept.
        """
        losses = [
            masked_mse(
                self.decoders[m](fused[m], index),
                encoded[m][:, 1:].detach(),
                masked_positions(index, self.n),
            )
            for m, index in sampled.items()
        ]
        return torch.stack(losses).mean()

    def contrast(self, pooled: Tensor, encoded: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Term contrast: the pooled fused tokens (B, width) against each modality's own mean.

        Averaged over modalities (eq. 5-7). Logged: its accuracy.
        """
        whole = self.project_fused(self._normalised(pooled))
        each = [self.project[m](self._normalised(e.mean(dim=1))) for m, e in encoded.items()]
        losses = [nt_xent(one, whole, self.temperature) for one in each]
        found = [contrast_accuracy(one, whole) for one in each]
        return {
            "contrast": torch.stack(losses).mean(),
            "contrast_accuracy": torch.stack(found).mean(),
        }

    def _normalised(self, pooled: Tensor) -> Tensor:
        return F.normalize(pooled, dim=1) if self.normalise_pooled else pooled


def pool(fused: Mapping[str, Tensor]) -> Tensor:
    """Mean over all tokens of all modalities: (B, width)."""
    return torch.cat(list(fused.values()), dim=1).mean(dim=1)
