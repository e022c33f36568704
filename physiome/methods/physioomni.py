"""PhysioOmni (arXiv 2504.19596): a tokenizer of private and shared codes, then masked codes.

Stage 1 learns codebooks by reconstruction, stage 2 encoders that predict the codes of masked
patches; stage 3 is in `physioomni_tuned`. Follows the published code with these changes: the anchor
modality is the first one instead of EEG; all patches are one second, so that no patches are merged
and the anchor's shared codes are used as they are instead of through cross-attention. Changed so
that the frozen stages can be judged: they embed by the observed encoders side by side, one block
each, because only stage 3 makes features of different encoders alike (`embedding: mean` averages
them nevertheless). Not reproduced are slips of that code: ECG decoded through EOG's output layer,
and EMG missing from the reconstruction.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from physiome.config.systems.physioomni import PhysioOmniSpec
from physiome.errors import PhysioError
from physiome.methods.base import Inputs, Method, Signals
from physiome.nn.draws import send
from physiome.nn.leads import one_lead, over_leads
from physiome.nn.losses import cross_entropy, mse, orthogonality
from physiome.nn.masking import masked_positions, n_kept, random_kept, take_tokens
from physiome.nn.physioomni import CodeDecoder, PatchEncoder, spectrum, tanh_head
from physiome.nn.physioomni_codes import Codebook


class PatchMethod(Method):
    """A method with one `PatchEncoder` per modality; it embeds by their mean tokens."""

    comparable = False  # before stage 3 a feature means something else in every encoder
    departure = "embedding joins the encoders side by side; only its third stage makes them alike"

    def __init__(
        self, spec: PhysioOmniSpec, inputs: Inputs, weights: Mapping[str, float] | None = None
    ):
        super().__init__(inputs.modalities, weights)
        self.spec = spec
        if spec.embedding == "mean":  # the original's
            self.departure = ""
        self.encoders = nn.ModuleDict(
            {m: PatchEncoder(spec, inputs.window) for m in inputs.modalities}
        )

    def encoder(self, m: str) -> PatchEncoder:
        """The encoder of modality m."""
        encoder = self.encoders[m]
        assert isinstance(encoder, PatchEncoder)
        return encoder

    def set_scaling(self, constants: Mapping[str, tuple[float, float]]) -> None:
        """Scale the raw signals by these constants before cutting patches."""
        for m, (offset, scale) in constants.items():
            self.encoder(m).scaling.set(offset, scale)

    def encode(self, observed: Signals) -> dict[str, Tensor]:
        """Modality -> mean token (B, D); of several leads, of those there are."""
        return {m: over_leads(self.encoders[m], x).mean(dim=1) for m, x in observed.items()}

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """The observed ones side by side (B, M D) in the modalities' order, or their mean."""
        observed = [encoded[m] for m in self.modalities if m in encoded]
        if self.spec.embedding == "mean":
            return torch.stack(observed).mean(dim=0)
        return torch.cat(observed, dim=1)


class Tokenizer(PatchMethod):
    """Stage 1: every patch becomes a code of its modality and a code common to all."""

    def __init__(self, spec: PhysioOmniSpec, inputs: Inputs):
        # Commitment is weighted within the codebooks.
        weights = {"reconstruct": 1.0, "cross": 1.0, "commitment": 1.0}
        super().__init__(spec, inputs, {**weights, "orthogonality": spec.orthogonality})
        names, first = inputs.modalities, self.encoder(inputs.modalities[0])
        sizes = {m: first.patch // 2 + 1 if m in spec.spectral else first.patch for m in names}
        self.heads = nn.ModuleDict({m: tanh_head(spec.width, 2 * spec.code_width) for m in names})
        self.decoders = nn.ModuleDict({m: CodeDecoder(spec, first.n, sizes[m]) for m in names})
        self.private = nn.ModuleDict({m: self._codebook() for m in names})
        self.shared = self._codebook()

    @classmethod
    def build(cls, spec: PhysioOmniSpec, inputs: Inputs, parents: Sequence[Any]) -> Self:
        """Freshly initialised, from the section `method`."""
        return cls(spec, inputs)

    def _codebook(self) -> Codebook:
        spec = self.spec
        return Codebook(spec.code_width, spec.codes, spec.code_decay, spec.commitment)

    def vectors(self, m: str, x: Tensor) -> tuple[Tensor, Tensor]:
        """Private and shared vectors of modality m before quantisation, (B, N, C) each."""
        private, shared = self.heads[m](self.encoders[m](x)).chunk(2, dim=-1)
        return private, shared

    @torch.no_grad()
    def codes(self, m: str, x: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers of the private and the shared code of every patch, (B, N) each."""
        private, shared = self.vectors(m, x)
        book = self.private[m]
        assert isinstance(book, Codebook)
        return book.nearest(private), self.shared.nearest(shared)

    def target(self, m: str, x: Tensor) -> Tensor:
        """What patches of modality m are rebuilt as: amplitudes or waveform, (B, N, outputs)."""
        patches = self.encoder(m).patches(x)
        return spectrum(patches) if m in self.spec.spectral else patches

    def loss(self, batch: Signals, rng: torch.Generator) -> dict[str, Tensor]:
        """Terms reconstruct, cross, commitment, orthogonality, each summed over modalities.

        `cross` rebuilds every other modality from its own private codes and the anchor's shared
        ones; it is 0 without the anchor. `used_codes` is the share of the shared codebook that the
        batch used (logged: a collapse shows there first).
        """
        batch = {m: one_lead(x, rng) for m, x in batch.items()}
        present = [m for m in self.modalities if m in batch]
        vectors = {m: self.vectors(m, batch[m]) for m in present}
        private = {m: self.private[m](vectors[m][0], rng) for m in present}
        # One call for all, so that the shared codes start from all modalities.
        codes, numbers, commitment = self.shared(torch.stack([v[1] for v in vectors.values()]), rng)
        shared = dict(zip(present, codes, strict=True))
        used = torch.zeros(self.shared.codes, device=numbers.device)
        return {
            **self._rebuild(batch, {m: private[m][0] for m in present}, shared),
            "commitment": torch.stack([p[2] for p in private.values()]).sum()
            + len(present) * commitment,
            "orthogonality": torch.stack([orthogonality(*v) for v in vectors.values()]).sum(),
            "used_codes": used.index_fill_(0, numbers.flatten(), 1.0).mean(),
        }

    def _rebuild(
        self, batch: Signals, private: Mapping[str, Tensor], shared: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        anchor = self.modalities[0]
        own, cross = [], []
        for m, codes in private.items():
            target = self.target(m, batch[m])
            rebuilt = self.decoders[m](torch.cat([codes, shared[m]], dim=-1))
            own.append(mse(rebuilt, target))
            if anchor in shared and m != anchor:
                rebuilt = self.decoders[m](torch.cat([codes, shared[anchor]], dim=-1))
                cross.append(mse(rebuilt, target))
        zero = torch.zeros_like(own[0].detach())
        return {
            "reconstruct": torch.stack(own).sum(),
            "cross": torch.stack(cross).sum() if cross else zero,
        }


class PhysioOmni(PatchMethod):
    """Stage 2: new encoders predict the codes that the frozen tokenizer gives to masked patches."""

    def __init__(self, spec: PhysioOmniSpec, inputs: Inputs, tokenizer: Tokenizer):
        super().__init__(spec, inputs, {"private": 1.0, "shared": 1.0})
        self.tokenizer = tokenizer.requires_grad_(False).eval()
        self.mask_tokens = nn.ParameterDict(
            {m: nn.Parameter(0.02 * torch.randn(spec.width)) for m in inputs.modalities}
        )
        self.heads = nn.ModuleDict(
            {m: nn.Linear(spec.width, 2 * spec.codes) for m in inputs.modalities}
        )

    @classmethod
    def build(cls, spec: PhysioOmniSpec, inputs: Inputs, parents: Sequence[Any]) -> Self:
        """On the tokenizer of stage 1.

        Raises:
            PhysioError: without one.
        """
        if len(parents) != 1 or not isinstance(parents[0], Tokenizer):
            raise PhysioError("physioomni begins with physioomni_tokenizer", do="train it first")
        return cls(spec, inputs, parents[0])

    def train(self, mode: bool = True) -> Self:
        """As usual, but the tokenizer stays in evaluation mode."""
        super().train(mode)
        self.tokenizer.eval()
        return self

    def loss(self, batch: Signals, rng: torch.Generator) -> dict[str, Tensor]:
        """Terms private and shared: cross-entropy of the codes of masked patches.

        Averaged over modalities present. A new tokenizer gives ln(codes) at chance.
        """
        losses = [
            self._masked(m, one_lead(batch[m], rng), rng) for m in self.modalities if m in batch
        ]
        private, shared = torch.stack([torch.stack(pair) for pair in losses]).mean(dim=0)
        return {"private": private, "shared": shared}

    def masked(self, m: str, batch: int, rng: torch.Generator) -> Tensor:
        """Places (batch, K) of the patches of modality m that are masked: K of every row."""
        n = self.encoder(m).n
        count = n - n_kept(n, self.spec.mask_ratios.get(m, self.spec.mask_ratio))
        return random_kept(batch, n, max(1, count), rng)

    def _masked(self, m: str, x: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        places = send(self.masked(m, len(x), rng), x.device)
        mask = masked_positions(places, self.encoder(m).n) == 0
        tokens = take_tokens(self.encoders[m](x, mask, self.mask_tokens[m]), places)  # (B, K, D)
        predicted = self.heads[m](tokens).chunk(2, dim=-1)
        private, shared = (
            cross_entropy(logits, codes.gather(1, places))
            for logits, codes in zip(predicted, self.tokenizer.codes(m, x), strict=True)
        )
        return private, shared
