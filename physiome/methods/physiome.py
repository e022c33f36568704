"""PhysioME (eq. 3-13): one model for every subset of modalities.

Training drops whole modalities (their tokens become mask tokens) and samples the tokens of the
others; modality decoders rebuild what was not sampled, restoration decoders what was dropped, and
the fused representation is contrasted with each modality's own. At inference a first pass with mask
tokens feeds the restoration decoders, and a second pass sees their tokens in place of the missing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from physiome.config.model import PhysioMESpec
from physiome.methods.base import Inputs, Signals
from physiome.methods.fusion import TokenFusion
from physiome.nn.lora import adapt, keep_frozen
from physiome.nn.losses import masked_mse
from physiome.nn.masking import take_tokens
from physiome.nn.tokens import TokenDecoder
from physiome.nn.transformer import initialise


class PhysioME(TokenFusion):
    """Frozen modality encoders with LoRA, a multimodal encoder, and two kinds of decoders.

    Args:
        encoders: pretrained encoder per modality, in the modalities' order: modules that turn
            (B, L) into (B, N + 1, D) and have `n`, `width` and `lora_targets`. They are frozen
            here, and nothing but the LoRA factors is added to them.
    """

    def __init__(self, spec: PhysioMESpec, encoders: Mapping[str, Any]):
        (inner,) = {e.width for e in encoders.values()}
        super().__init__(tuple(encoders), spec, max(e.n for e in encoders.values()), inner)
        if spec.restoration != "decoder":
            self.weights.pop("missing", None)
        self.spec = spec
        self.encoders = nn.ModuleDict(
            {m: adapt(e, e.lora_targets, spec.lora) for m, e in encoders.items()}
        )
        if spec.restoration == "memory":  # what takes a missing modality's place
            self.memory = self.token_tables(spec.width)
        else:
            self.mask_token = nn.Parameter(torch.randn(spec.width) * 0.02)
        if spec.restoration == "decoder":
            restore = (spec.restore_width, spec.restore_depth, spec.restore_heads)
            self.restorers = nn.ModuleDict(
                {
                    m: TokenDecoder(spec.width, inner, self.n, *restore, fills=False)
                    for m in encoders
                }
            )
        if "reinitialise" in spec.defects:
            initialise(self)  # over the whole tree, pretrained encoders and LoRA included
        self.train()  # a module starts in training mode: not the frozen encoders

    @classmethod
    def build(cls, settings: Mapping[str, Any], inputs: Inputs, encoders: Sequence[Any]) -> Self:
        """On one pretrained encoder per modality."""
        by_name = {e.modalities[0]: e.encoder for e in encoders}
        spec = PhysioMESpec.parse(settings["method"], "physiome")
        return cls(spec, {m: by_name[m] for m in inputs.modalities})

    def train(self, mode: bool = True) -> Self:
        """As usual, but frozen encoders stay in evaluation mode; only LoRA's dropout wakes up."""
        super().train(mode)
        for encoder in self.encoders.values():
            keep_frozen(encoder, mode)
        return self

    # Training

    def loss(self, batch: Signals, rng: torch.Generator) -> dict[str, Tensor]:
        """Terms intra (eq. 3), missing (eq. 4; absent without restoration decoder), contrast (7).

        A modality that the batch really lacks is handled like a dropped one, without a target.
        """
        encoded = {m: self._cut(e) for m, e in self.encode(batch).items()}
        present = list(encoded)
        dropped = self._draw_dropped(present, rng)
        kept = {m: None for m in present if m not in dropped}
        sampled = {m: self.sample(len(encoded[m]), rng) for m in kept}
        fused = self.fuse_tokens(
            {
                m: take_tokens(self._cut(self.enter_tokens(m, encoded[m])), sampled[m])
                if m in kept
                else self._stand_in(m, len(encoded[present[0]]))
                for m in self.modalities
            }
        )
        terms = {"intra": self._cut(self.intra(fused, encoded, sampled))}
        if self.spec.restoration == "decoder":
            terms["missing"] = self._cut(self._missing(fused, encoded, dropped))
        terms["contrast"] = self.contrast(fused, encoded)
        return terms

    def _cut(self, x: Tensor) -> Tensor:
        """x, without its gradient where the public code loses it (only "as published")."""
        return x.detach() if "detach" in self.spec.defects else x

    def _draw_dropped(self, present: list[str], rng: torch.Generator) -> list[str]:
        """k of the present modalities, k uniform on 0..len - 1, once per batch."""
        device = rng.device
        k = int(torch.randint(0, len(present), (1,), generator=rng, device=device))
        order = torch.randperm(len(present), generator=rng, device=device).tolist()
        return [present[i] for i in sorted(order[:k])]

    def _missing(
        self, fused: dict[str, Tensor], encoded: dict[str, Tensor], dropped: list[str]
    ) -> Tensor:
        if not dropped:
            return next(iter(fused.values())).new_zeros((), dtype=torch.float32)
        losses = []
        for m in dropped:
            source = fused[m] if self.spec.restoration_gradient else fused[m].detach()
            everywhere = source.new_ones(source.shape[:2])
            target = encoded[m][:, 1:].detach()
            losses.append(masked_mse(self.restorers[m](source), target, everywhere))
        return torch.stack(losses).mean()

    # Inference

    def encode(self, observed: Signals) -> dict[str, Tensor]:
        """Modality -> tokens e (B, N + 1, D) of its encoder (eq. 9)."""
        return {m: self.encoders[m](observed[m]) for m in self.modalities if m in observed}

    def restore(self, encoded: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Restored tokens g (B, N, D) of every modality that `encoded` lacks (eq. 10-12)."""
        if self.spec.restoration != "decoder":
            return {}
        missing = [m for m in self.modalities if m not in encoded]
        fused = self.fuse_tokens(self._complete(encoded))
        return {m: self.restorers[m](fused[m]) for m in missing}

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """Mean of the M N fused tokens ft (eq. 13): (B, D)."""
        restored = self.restore(encoded) if len(encoded) < len(self.modalities) else {}
        fused = self.fuse_tokens(self._complete(encoded, restored))
        return torch.cat(list(fused.values()), dim=1).mean(dim=1)

    def _complete(
        self, encoded: Mapping[str, Tensor], restored: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Embedded tokens z (B, N, D) of all modalities: observed, restored, or stood in for."""
        batch = len(next(iter(encoded.values())))
        tokens = {}
        for m in self.modalities:
            if m in encoded:
                tokens[m] = self.enter_tokens(m, encoded[m])
            elif restored and m in restored:
                tokens[m] = self.coded(m, self.enter[m](restored[m]))
            else:
                tokens[m] = self._stand_in(m, batch)
        return tokens

    def _stand_in(self, m: str, batch: int) -> Tensor:
        """What takes a missing modality's place: N copies of the mask token, or its memory bank."""
        tokens = self.memory[m] if self.spec.restoration == "memory" else self.mask_token
        return self.coded(m, tokens.expand(batch, self.n, -1))
