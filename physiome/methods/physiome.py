"""PhysioME (eq. 3-13): one model for every subset of modalities.

Training drops whole modalities (their tokens become mask tokens) and samples the tokens of the
others; modality decoders rebuild what was not sampled, restoration decoders what was dropped, and
the fused representation is contrasted with each modality's own. At inference a first pass with mask
tokens feeds the restoration decoders, and a second pass sees their tokens in place of the missing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from physiome.config.model import PhysioMESpec
from physiome.methods.base import Inputs, Method, Signals
from physiome.nn.encoder import ModalityEncoder
from physiome.nn.losses import masked_mse, nt_xent
from physiome.nn.masking import masked_positions, n_kept, random_kept, take_tokens
from physiome.nn.tokens import Projection, TokenDecoder, TokenMLP
from physiome.nn.transformer import Transformer, initialise, sincos_positions

ATTENTION_OUTPUTS = r".*\.attn\.proj"


class PhysioME(Method):
    """Frozen modality encoders with LoRA, a multimodal encoder, and two kinds of decoders.

    Args:
        encoders: pretrained encoder per modality, in the modalities' order. They are frozen here,
            and nothing but the LoRA factors is added to them.
    """

    positions: Tensor

    def __init__(self, spec: PhysioMESpec, encoders: Mapping[str, ModalityEncoder]):
        weights: dict[str, float] = {str(term): weight for term, weight in spec.weights.items()}
        if spec.restoration != "decoder":
            weights.pop("missing", None)
        super().__init__(tuple(encoders), weights)
        self.spec = spec
        inner, self.n = {e.width for e in encoders.values()}, max(e.n for e in encoders.values())
        (encoder_width,) = inner
        self.encoders = nn.ModuleDict({m: _adapted(e, spec) for m, e in encoders.items()})
        self.enter = nn.ModuleDict({m: TokenMLP(encoder_width, spec.width) for m in encoders})
        self.modality_tokens = nn.ParameterDict(
            {m: nn.Parameter(torch.randn(self.n, spec.width) * 0.02) for m in encoders}
        )
        self.register_buffer("positions", sincos_positions(self.n, spec.width), persistent=False)
        self.fusion = Transformer(spec.width, spec.depth, spec.heads)
        initialise(self.fusion)
        self._build_stand_ins()
        self._build_decoders(encoder_width)
        self.project_fused = Projection(spec.width, *spec.projection)
        self.project = nn.ModuleDict(
            {m: Projection(encoder_width, *spec.projection) for m in encoders}
        )
        self.train()  # a module starts in training mode: not the frozen encoders

    @classmethod
    def build(cls, settings: Mapping[str, Any], inputs: Inputs, encoders: Sequence[Any]) -> Self:
        """On one NeuroNet-family encoder per modality."""
        by_name = {e.modalities[0]: e.encoder for e in encoders}
        spec = PhysioMESpec.parse(settings["method"], "physiome")
        return cls(spec, {m: by_name[m] for m in inputs.modalities})

    def _build_stand_ins(self) -> None:
        """The mask token, or with `memory` a learned bank per modality (N, D)."""
        width = self.spec.width
        if self.spec.restoration == "memory":
            self.memory = nn.ParameterDict(
                {m: nn.Parameter(torch.randn(self.n, width) * 0.02) for m in self.modalities}
            )
        else:
            self.mask_token = nn.Parameter(torch.randn(width) * 0.02)

    def _build_decoders(self, outputs: int) -> None:
        s, n = self.spec, self.n
        decoder = (s.decoder_width, s.decoder_depth, s.decoder_heads)
        self.decoders = nn.ModuleDict(
            {m: TokenDecoder(s.width, outputs, n, *decoder, fills=True) for m in self.modalities}
        )
        if s.restoration == "decoder":
            restore = (s.restore_width, s.restore_depth, s.restore_heads)
            self.restorers = nn.ModuleDict(
                {
                    m: TokenDecoder(s.width, outputs, n, *restore, fills=False)
                    for m in self.modalities
                }
            )

    def train(self, mode: bool = True) -> "PhysioME":
        """As usual, but frozen encoders stay in evaluation mode; only LoRA's dropout wakes up."""
        super().train(mode)
        for encoder in self.encoders.values():
            encoder.eval()
            for name, part in encoder.named_modules():
                if name.endswith("lora_dropout"):
                    part.train(mode)
        return self

    # Training

    def loss(self, batch: Signals, rng: torch.Generator) -> dict[str, Tensor]:
        """Terms intra (eq. 3), missing (eq. 4; absent without restoration decoder), contrast (7).

        A modality that the batch really lacks is handled like a dropped one, without a target.
        """
        encoded = self.encode(batch)
        present = list(encoded)
        dropped = self._draw_dropped(present, rng)
        kept = {m: None for m in present if m not in dropped}
        sampled = {m: self._sample(len(encoded[m]), rng) for m in kept}
        fused = self._fuse_tokens(
            {
                m: take_tokens(self._enter(m, encoded[m]), sampled[m])
                if m in kept
                else self._stand_in(m, len(encoded[present[0]]))
                for m in self.modalities
            }
        )
        terms = {"intra": self._intra(fused, encoded, sampled)}
        if self.spec.restoration == "decoder":
            terms["missing"] = self._missing(fused, encoded, dropped)
        terms["contrast"] = self._contrast(fused, encoded)
        return terms

    def _draw_dropped(self, present: list[str], rng: torch.Generator) -> list[str]:
        """k of the present modalities, k uniform on 0..len - 1, once per batch."""
        device = rng.device
        k = int(torch.randint(0, len(present), (1,), generator=rng, device=device))
        order = torch.randperm(len(present), generator=rng, device=device).tolist()
        return [present[i] for i in sorted(order[:k])]

    def _sample(self, batch: int, rng: torch.Generator) -> Tensor:
        return random_kept(batch, self.n, n_kept(self.n, self.spec.mask_ratio), rng)

    def _intra(
        self, fused: dict[str, Tensor], encoded: dict[str, Tensor], sampled: dict[str, Tensor]
    ) -> Tensor:
        losses = [
            masked_mse(
                self.decoders[m](fused[m], index),
                encoded[m][:, 1:].detach(),
                masked_positions(index, self.n),
            )
            for m, index in sampled.items()
        ]
        return torch.stack(losses).mean()

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

    def _contrast(self, fused: dict[str, Tensor], encoded: dict[str, Tensor]) -> Tensor:
        whole = self.project_fused(torch.cat(list(fused.values()), dim=1).mean(dim=1))
        losses = [
            nt_xent(self.project[m](e.mean(dim=1)), whole, self.spec.temperature)
            for m, e in encoded.items()
        ]
        return torch.stack(losses).mean()

    # Inference

    def encode(self, observed: Signals) -> dict[str, Tensor]:
        """Modality -> tokens e (B, N + 1, D) of its encoder (eq. 9)."""
        return {m: self.encoders[m](observed[m]) for m in self.modalities if m in observed}

    def restore(self, encoded: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Restored tokens g (B, N, D) of every modality that `encoded` lacks (eq. 10-12)."""
        missing = [m for m in self.modalities if m not in encoded]
        fused = self._fuse_tokens(self._complete(encoded))
        return {m: self.restorers[m](fused[m]) for m in missing}

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """Mean of the M N fused tokens ft (eq. 13): (B, D)."""
        restored = {}
        if self.spec.restoration == "decoder" and len(encoded) < len(self.modalities):
            restored = self.restore(encoded)
        fused = self._fuse_tokens(self._complete(encoded, restored))
        return torch.cat(list(fused.values()), dim=1).mean(dim=1)

    # Shared

    def _complete(
        self, encoded: Mapping[str, Tensor], restored: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Embedded tokens z (B, N, D) of all modalities: observed, restored, or stood in for."""
        batch = len(next(iter(encoded.values())))
        tokens = {}
        for m in self.modalities:
            if m in encoded:
                tokens[m] = self._enter(m, encoded[m])
            elif restored and m in restored:
                tokens[m] = self._coded(m, self.enter[m](restored[m]))
            else:
                tokens[m] = self._stand_in(m, batch)
        return tokens

    def _enter(self, m: str, e: Tensor) -> Tensor:
        """z = MLP(e without its class token) + pe + mt: (B, N + 1, D) -> (B, N, D)."""
        return self._coded(m, self.enter[m](e[:, 1:]))

    def _coded(self, m: str, tokens: Tensor) -> Tensor:
        return tokens + (self.positions + self.modality_tokens[m])

    def _stand_in(self, m: str, batch: int) -> Tensor:
        """What takes a missing modality's place: N copies of the mask token, or its memory bank."""
        tokens = self.memory[m] if self.spec.restoration == "memory" else self.mask_token
        return self._coded(m, tokens.expand(batch, self.n, -1))

    def _fuse_tokens(self, tokens: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Concatenate in the modalities' order, encode, take apart again, by name."""
        parts = [tokens[m] for m in self.modalities]
        fused = self.fusion(torch.cat(parts, dim=1)).split([p.shape[1] for p in parts], dim=1)
        return dict(zip(self.modalities, fused, strict=True))


def _adapted(encoder: ModalityEncoder, spec: PhysioMESpec) -> nn.Module:
    """The encoder frozen, with LoRA on its attention outputs, its weights otherwise untouched."""
    encoder.requires_grad_(False)
    lora = spec.lora
    config = LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, use_rslora=True,
        init_lora_weights="gaussian", target_modules=ATTENTION_OUTPUTS,
    )  # fmt: skip
    return inject_adapter_in_model(config, encoder)
