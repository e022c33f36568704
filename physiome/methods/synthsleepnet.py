"""SynthSleepNet: masked prediction and contrast over several modalities, one model per subset.

PhysioME's ancestor: pretrained single-path NeuroNet encoders with LoRA and a multimodal encoder,
without dropped modalities and without restoration. Two faults of its published code are not
reproduced (decoders that read overlapping slices, pretrained weights overwritten on construction);
targets are detached here, and depth, decoders, projection and training budget are PhysioME's.

The models of all subsets are trained side by side. Each has LoRA factors of its own in the frozen
encoders, whose frame networks, the larger part of the work, then run once for all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from physiome.config.systems.synthsleepnet import SynthSleepNetSpec
from physiome.methods.base import Inputs, Signals
from physiome.methods.dedicated import OnePerSubset
from physiome.methods.fusion import TokenFusion, pool
from physiome.nn.lora import active, adapt, adapter_parameters, keep_frozen
from physiome.nn.masking import take_tokens
from physiome.nn.neuronet import ModalityEncoder
from physiome.subsets import Subset, all_subsets, subset_name


class SynthSleepNet(TokenFusion):
    """The model of one subset; what it is given are its encoders' tokens e (B, N + 1, D)."""

    def loss(self, batch: Signals, rng: torch.Generator) -> dict[str, Tensor]:
        """Terms intra and contrast, of tokens."""
        sampled = {m: self.sample(len(batch[m]), rng) for m in self.modalities}
        fused = self.fuse_tokens(
            {m: take_tokens(self.enter_tokens(m, batch[m]), sampled[m]) for m in self.modalities}
        )
        terms = {"intra": self.intra(fused, batch, sampled)}
        return terms | self.contrast(pool(fused), batch)

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """Mean of the fused tokens (B, width)."""
        fused = self.fuse_tokens({m: self.enter_tokens(m, encoded[m]) for m in self.modalities})
        return pool(fused)


class DedicatedSynthSleepNet(OnePerSubset):
    """The models of subsets on shared frozen encoders.

    Args:
        encoders: pretrained encoder per modality, in the modalities' order.
        subsets: those that get a model, the full set among them; None: all.
    """

    contrasts = SynthSleepNet.contrasts

    def __init__(
        self,
        spec: SynthSleepNetSpec,
        encoders: Mapping[str, ModalityEncoder],
        subsets: Sequence[Subset] | None = None,
    ):
        (inner,) = {e.width for e in encoders.values()}
        n = max(e.n for e in encoders.values())
        subsets = subsets or all_subsets(tuple(encoders))
        super().__init__(tuple(encoders), {s: SynthSleepNet(s, spec, n, inner) for s in subsets})
        self.encoders = nn.ModuleDict()
        for m, encoder in encoders.items():
            encoder.requires_grad_(False)
            for subset in subsets:
                if m in subset:
                    adapt(encoder, encoder.lora_targets, spec.lora, subset_name(subset))
            self.encoders[m] = encoder
        for encoder in self.encoders.values():
            with active(encoder, subset_name(self.modalities)):
                pass  # adding an adapter froze the ones before: all train
        self.train()

    @classmethod
    def build(cls, spec: SynthSleepNetSpec, inputs: Inputs, parents: Sequence[Any]) -> Self:
        """On one pretrained NeuroNet per modality."""
        by_name = {e.modalities[0]: e.encoder for e in parents}
        return cls(spec, {m: by_name[m] for m in inputs.modalities}, inputs.subsets)

    def set_scaling(self, constants: Mapping[str, tuple[float, float]]) -> None:
        """Nothing to set: the encoders bring the constants they were trained with."""

    def train(self, mode: bool = True) -> Self:
        """As usual, but frozen encoders stay in evaluation mode; only LoRA's dropout wakes up."""
        super().train(mode)
        for encoder in self.encoders.values():
            keep_frozen(encoder, mode)
        return self

    def clip_groups(self) -> list[list[nn.Parameter]]:
        """Each model with its LoRA factors."""
        found = []
        for name, model in self.each():
            lora = [p for m in model.modalities for p in adapter_parameters(self._encoder(m), name)]
            found.append([*model.parameters(), *lora])
        return found

    def prepare(self, batch: Signals) -> dict[str, Tensor]:
        """Frame features, which no model adapts."""
        return self.encode(batch)

    @torch.no_grad()
    def encode(self, observed: Signals) -> dict[str, Tensor]:
        """Modality -> frame features (B, N, features) of the frozen frame network."""
        return {m: self._encoder(m).features(observed[m]) for m in self.modalities if m in observed}

    def view(self, prepared: Mapping[str, Tensor], subset: Sequence[str]) -> dict[str, Tensor]:
        """Tokens e (B, N + 1, D) of each modality, by the adapters of this subset's model."""
        name, tokens = subset_name(subset), {}
        for m in subset:
            with active(self._encoder(m), name):
                tokens[m] = self._encoder(m).tokens(prepared[m])
        return tokens

    def _encoder(self, m: str) -> ModalityEncoder:
        encoder = self.encoders[m]
        assert isinstance(encoder, ModalityEncoder)
        return encoder
