"""PhysioME (eq. 3-13): one model for every subset of modalities.

Training drops whole modalities (their tokens become mask tokens) and samples the tokens of the
others; modality decoders rebuild what was not sampled, restoration decoders what was dropped, and
the fused representation is contrasted with each modality's own. At inference a first pass with mask
tokens feeds the restoration decoders, and a second pass sees their tokens in place of the missing.

Each part of a batch drops modalities of its own, so that every decoder has something to learn in
nearly every step; the contrast, which wants many negatives, sees all parts together.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from physiome.config.systems.physiome import PhysioMESpec
from physiome.methods.base import Inputs, Signals
from physiome.methods.fusion import TokenFusion, pool
from physiome.nn.lora import adapt, keep_frozen
from physiome.nn.losses import mse
from physiome.nn.masking import take_tokens
from physiome.nn.physiome_levels import WIDTH, Level
from physiome.nn.physiome_parts import Part, draw_parts, join, rows_of
from physiome.nn.physiome_restorer import Restorer
from physiome.nn.presence import Presence, PresenceTokens
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
        self.spec, self.restores = spec, spec.restoration == "decoder"
        if not self.restores:
            self.weights.pop("missing", None)
        self.encoders = nn.ModuleDict(
            {m: adapt(e, e.lora_targets, spec.lora) for m, e in encoders.items()}
        )
        if spec.restoration == "memory":  # what takes a missing modality's place
            self.memory = self.token_tables(spec.width)
        else:
            self.mask_token = nn.Parameter(torch.randn(spec.width) * 0.02)
        if self.restores:
            restore = (spec.restore_width, spec.restore_depth, spec.restore_heads)
            self.restorers = nn.ModuleDict(
                {m: Restorer(spec.width, inner, self.n, *restore) for m in encoders}
            )
        self.levels = nn.ModuleDict({m: Level() for m in encoders} if spec.levels else {})
        self.level_columns = WIDTH * len(self.levels)
        self.presence = PresenceTokens(tuple(encoders), spec.width) if spec.presence else None
        if "reinitialise" in spec.defects:
            initialise(self)  # over the whole tree, pretrained encoders and LoRA included
        self.train()  # a module starts in training mode: not the frozen encoders

    @classmethod
    def build(cls, spec: PhysioMESpec, inputs: Inputs, parents: Sequence[Any]) -> Self:
        """On one pretrained encoder per modality."""
        by_name = {e.modalities[0]: e.encoder for e in parents}
        return cls(spec, {m: by_name[m] for m in inputs.modalities})

    def train(self, mode: bool = True) -> Self:
        """As usual, but frozen encoders stay in evaluation mode; only LoRA's dropout wakes up."""
        super().train(mode)
        for encoder in self.encoders.values():
            keep_frozen(encoder, mode)
        return self

    def clip_groups(self) -> list[list[nn.Parameter]]:
        """Restoration decoders apart: their size must not change how the encoder is clipped."""
        apart = [p for n, p in self.named_parameters() if n.startswith("restorers.")]
        rest = [p for n, p in self.named_parameters() if not n.startswith("restorers.")]
        return [rest, apart] if apart else [rest]

    def set_scaling(self, constants: Mapping[str, tuple[float, float]]) -> None:
        """For levels alone: encoders were scaled when they were pretrained."""
        for m, level in self.levels.items():
            assert isinstance(level, Level)
            level.scaling.set(*constants[m])

    # Training

    def loss(self, batch: Signals, rng: torch.Generator) -> dict[str, Tensor]:
        """Terms intra (eq. 3), missing (eq. 4; absent without restoration decoder), contrast (7).

        A modality that the batch really lacks is handled like a dropped one, without a target.
        """
        encoded = {m: self._cut(e) for m, e in self._tokens(batch).items()}
        size = len(next(iter(encoded.values())))
        parts = self._draw_parts(tuple(encoded), size, rng)
        sampled = {m: self.sample(size, rng) for m in encoded}
        entered = self._enter_kept(encoded, parts)
        fused = [
            self._fuse_part({m: take_tokens(z, sampled[m][p.rows]) for m, z in tokens.items()}, p)
            for tokens, p in zip(entered, parts, strict=True)
        ]
        kept = join(fused, parts, "kept")
        targets = {m: rows_of(encoded[m], parts, m, "kept") for m in kept}
        terms = {
            "intra": self._cut(
                self.intra(kept, targets, {m: rows_of(sampled[m], parts, m, "kept") for m in kept})
            )
        }
        if self.restores:
            terms["missing"] = self._cut(self._missing(fused, entered, encoded, parts))
        return terms | self.contrast(torch.cat([pool(f) for f in fused]), encoded)

    def _draw_parts(self, present: tuple[str, ...], size: int, rng: torch.Generator) -> list[Part]:
        if "detach" in self.spec.defects:
            # In the public code only the contrast has a gradient, and its pass drops nothing.
            return [Part(slice(0, size), present, ())]
        return draw_parts(present, size, self.spec.drop_groups, rng)

    def _cut(self, x: Tensor) -> Tensor:
        """x, without its gradient where the public code loses it (only "as published")."""
        return x.detach() if "detach" in self.spec.defects else x

    def _enter_kept(
        self, encoded: Mapping[str, Tensor], parts: Sequence[Part]
    ) -> list[dict[str, Tensor]]:
        """Embedded tokens z (b, N, width) of what each part keeps.

        One call per modality: batch-norm sees all rows that keep it, and no dropped one.
        """
        entered: list[dict[str, Tensor]] = [{} for _ in parts]
        for m, e in encoded.items():
            places = [i for i, part in enumerate(parts) if m in part.kept]
            if places:
                z = self._cut(self.enter[m](rows_of(e, parts, m, "kept")[:, 1:]))
                sizes = [len(e[parts[i].rows]) for i in places]
                for i, piece in zip(places, z.split(sizes), strict=True):
                    entered[i][m] = self._told(m, self.coded(m, piece), "observed")
        return entered

    def _fuse_part(self, tokens: Mapping[str, Tensor], part: Part) -> dict[str, Tensor]:
        """Fused tokens of a part, with stand-ins for all it has no tokens of."""
        size = part.rows.stop - part.rows.start
        away: dict[str, Presence] = {
            m: "dropped" if m in part.dropped else "absent" for m in self.modalities
        }
        return self.fuse_tokens(
            {m: tokens[m] if m in tokens else self._stand_in(m, size, away[m]) for m in away}
        )

    def _fuse_whole(
        self, entered: Sequence[dict[str, Tensor]], parts: Sequence[Part]
    ) -> list[dict[str, Tensor]]:
        """As the pass that all losses share, but of complete tokens, as at inference."""
        with nullcontext() if self.spec.restoration_gradient else torch.no_grad():
            return [self._fuse_part(t, p) for t, p in zip(entered, parts, strict=True)]

    def _missing(
        self,
        fused: Sequence[dict[str, Tensor]],
        entered: Sequence[dict[str, Tensor]],
        encoded: Mapping[str, Tensor],
        parts: Sequence[Part],
    ) -> Tensor:
        if self.spec.restore_windows == "complete" and len(encoded) < len(self.modalities):
            return self._nothing(fused)
        if self.spec.restore_from == "complete":
            fused = self._fuse_whole(entered, parts)
        if "detach" not in self.spec.defects:  # in the public code restorers learn nothing at all
            for m, e in encoded.items():
                self._restorer(m).note(e[:, 1:])
        losses = []
        for m, source in join(fused, parts, "dropped").items():
            if not self.spec.restoration_gradient:
                source = source.detach()
            target = rows_of(encoded[m], parts, m, "dropped")[:, 1:].detach()
            losses.append(mse(self._restorer(m)(source), target))
        return torch.stack(losses).mean() if losses else self._nothing(fused)

    @staticmethod
    def _nothing(fused: Sequence[dict[str, Tensor]]) -> Tensor:
        return next(iter(fused[0].values())).new_zeros((), dtype=torch.float32)

    def after_step(self) -> None:
        """Mean tokens follow the targets of the step."""
        if self.restores:
            for m in self.modalities:
                self._restorer(m).follow()

    def _restorer(self, m: str) -> Restorer:
        found = self.restorers[m]
        assert isinstance(found, Restorer)
        return found

    # Inference

    def _tokens(self, observed: Signals) -> dict[str, Tensor]:
        return {m: self.encoders[m](observed[m]) for m in self.modalities if m in observed}

    def encode(self, observed: Signals) -> dict[str, Tensor]:
        """Modality -> tokens e (B, N + 1, D) of its encoder (eq. 9).

        With `levels`, the first columns of the class token's place hold the window's level: once
        training is over, nothing reads the class token.
        """
        encoded = self._tokens(observed)
        for m, level in self.levels.items():
            if m in encoded:
                first = F.pad(level(observed[m]), (0, encoded[m].shape[2] - WIDTH))
                encoded[m] = torch.cat([first[:, None], encoded[m][:, 1:]], dim=1)
        return encoded

    def restore(self, encoded: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Restored tokens g (B, N, D) of every modality that `encoded` lacks (eq. 10-12)."""
        if not self.restores:
            return {}
        missing = [m for m in self.modalities if m not in encoded]
        fused = self.fuse_tokens(self._complete(encoded))
        return {m: self.restorers[m](fused[m]) for m in missing}

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """Mean of the M N fused tokens ft (eq. 13): (B, D); or of each modality's own: (B, M D).

        With `levels`, two more columns per modality, 0 for one that is not observed.
        """
        restored = self.restore(encoded) if len(encoded) < len(self.modalities) else {}
        fused = self.fuse_tokens(self._complete(encoded, restored))
        if self.spec.embedding == "per_modality":
            pooled = torch.cat([tokens.mean(dim=1) for tokens in fused.values()], dim=1)
        else:
            pooled = pool(fused)
        absent = pooled.new_zeros(len(pooled), WIDTH)
        levels = [encoded[m][:, 0, :WIDTH] if m in encoded else absent for m in self.levels]
        return torch.cat([pooled, *levels], dim=1)

    def _complete(
        self, encoded: Mapping[str, Tensor], restored: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Embedded tokens z (B, N, D) of all modalities: observed, restored, or stood in for."""
        batch = len(next(iter(encoded.values())))
        tokens = {}
        for m in self.modalities:
            if m in encoded:
                tokens[m] = self._told(m, self.enter_tokens(m, encoded[m]), "observed")
            elif restored and m in restored:
                tokens[m] = self._told(m, self.coded(m, self.enter[m](restored[m])), "absent")
            else:
                tokens[m] = self._stand_in(m, batch, "absent")
        return tokens

    def _stand_in(self, m: str, batch: int, state: Presence) -> Tensor:
        """What takes a missing modality's place: N copies of the mask token, or its memory bank."""
        tokens = self.memory[m] if self.spec.restoration == "memory" else self.mask_token
        return self._told(m, self.coded(m, tokens.expand(batch, self.n, -1)), state)

    def _told(self, m: str, tokens: Tensor, state: Presence) -> Tensor:
        """Tokens that say whether their modality is observed, where the model has that option."""
        return tokens if self.presence is None else self.presence(m, tokens, state)
