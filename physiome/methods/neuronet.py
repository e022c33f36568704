"""NeuroNet and DP-NeuroNet: self-supervised encoders of one modality (Appendix I; eq. 1, 16-18).

Masked prediction of frame features, and contrast between random maskings; DP-NeuroNet feeds two
differently augmented views through the same weights and contrasts them as well. Where only layers
without batch statistics are passed, both maskings of both views pass as one batch. The frame
network sees one view at a time and the projection head one pass, as published: batch-norms that
pooled them would let each view read the other's statistics, which evaluation never shows and
training gives way to. The cross-view contrast reuses the class tokens of passes that exist: equal
in distribution to the published arrangement with its third masked pass.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from physiome.config.model import EncoderSpec
from physiome.methods.base import Method, Signals
from physiome.nn.augment import two_views
from physiome.nn.draws import send
from physiome.nn.losses import contrast_accuracy, masked_mse, nt_xent
from physiome.nn.masking import masked_positions, n_kept, random_kept
from physiome.nn.neuronet import ModalityEncoder
from physiome.nn.tokens import Projection, TokenDecoder


class NeuroNet(Method):
    """Masked autoencoder over frames with contrast between two maskings of the same input."""

    terms = ("masked", "within")
    contrasts = ("within", "across")

    def __init__(
        self, spec: EncoderSpec, modality: str, samples: int, rate_hz: float, leads: int = 0
    ):
        super().__init__((modality,), {t: spec.weights.get(t, 1.0) for t in self.terms})
        self.spec = spec
        self.encoder = ModalityEncoder(spec, samples, rate_hz, leads)
        self.decoder = TokenDecoder(
            spec.width,
            self.encoder.frame_network.features,
            self.encoder.n,
            spec.decoder_width,
            spec.decoder_depth,
            spec.decoder_heads,
            fills=True,
        )
        # One head serves both contrasts, as in the published code.
        self.projection = Projection(spec.width, *spec.projection)

    def loss(self, batch: Signals, rng: torch.Generator) -> dict[str, Tensor]:
        """Terms masked and within; logged: accuracy of the contrast, and feature_variance, where a
        collapse shows first.
        """
        masked, (first, second), features = self.masked_passes([batch[self.modalities[0]]], rng)
        return {
            "masked": masked,
            "within": nt_xent(first, second, self.spec.temperature),
            "within_accuracy": contrast_accuracy(first, second),
            "feature_variance": _variance(features),
        }

    def set_scaling(self, constants: Mapping[str, tuple[float, float]]) -> None:
        """Scale the raw signal by these constants before framing."""
        self.encoder.scaling.set(*constants[self.modalities[0]])

    def masked_passes(
        self, views: Sequence[Tensor], rng: torch.Generator
    ) -> tuple[Tensor, list[Tensor], Tensor]:
        """Two masked passes of every view (B, L), or (B, C, L) of several leads.

        Returns:
            The masked-prediction loss averaged over all passes; the projected class tokens (B, D)
            of each: the first passes of all views, then the second; and the frame features f
            (V B, N, features), view after view.
        """
        encoder = self.encoder
        features = torch.cat([encoder.features(x) for x in views])  # batch-norm: a view at a time
        twice = features.repeat(2, 1, 1)  # (2 V B, N, features): both maskings as one batch
        kept = random_kept(len(twice), encoder.n, n_kept(encoder.n, self.spec.mask_ratio), rng)
        kept = send(kept, twice.device)
        tokens = encoder.tokens(twice, kept)  # (2 V B, K + 1, D)
        predicted = self.decoder(tokens[:, 1:], kept)
        target = twice.detach() if self.spec.detach_target else twice
        masked = masked_mse(predicted, target, masked_positions(kept, encoder.n))
        classes = [self.projection(c) for c in tokens[:, 0].chunk(2 * len(views))]  # likewise
        return masked, classes, features

    def encode(self, observed: Signals) -> dict[str, Tensor]:
        """Modality -> tokens e (B, N + 1, D)."""
        return {m: self.encoder(x) for m, x in observed.items()}

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """The class token (B, D)."""
        return encoded[self.modalities[0]][:, 0]


class DPNeuroNet(NeuroNet):
    """NeuroNet on two augmented views with shared weights, and contrast between the views."""

    terms = ("masked", "within", "across")

    def loss(self, batch: Signals, rng: torch.Generator) -> dict[str, Tensor]:
        """Terms masked (half the sum of four), within (half the sum of two), across (eq. 1)."""
        x, augment = batch[self.modalities[0]], self.spec.augment
        views = two_views(x, rng, augment.probability, augment.crop, augment.segments)
        masked, classes, features = self.masked_passes(views, rng)
        one_first, two_first, one_second, two_second = classes
        tau = self.spec.temperature
        within = nt_xent(one_first, one_second, tau) + nt_xent(two_first, two_second, tau)
        return {
            "masked": 2.0 * masked,
            "within": 0.5 * within,
            "across": nt_xent(one_first, two_first, tau),
            "within_accuracy": contrast_accuracy(one_first, one_second),
            "across_accuracy": contrast_accuracy(one_first, two_first),
            "feature_variance": _variance(features),
        }


def _variance(features: Tensor) -> Tensor:
    """Mean over features of their variance over all frames: 0 when the frame network collapsed."""
    return features.detach().float().flatten(0, 1).var(dim=0).mean()
