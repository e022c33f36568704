"""RobustSsF: separate encoders, scenario-specific fusion decoders, coupled outputs.

The original segments tumours in 3-D scans and learns from labels. What carries over without them:
one encoder per modality, a decoder that all share, three fusion decoders (a scenario of missing
modalities, its complement, the full set), the coupled regularisation, and the schedule. Ours: the
images are two-dimensional spectrograms, decoders rebuild them, and mean squared error takes the
place of Dice and cross-entropy.

Changed so that there is something to learn, ours: (1) decoders see the coarsest level alone. With
the published skips, which suit segmentation, rebuilding an image is copying it: the error of a
trained decoder stays as it is when the coarsest level, which is embedded, is exchanged between
windows. So there is one fusion, of this level, instead of one per level. (2) Layer norms over the
channels of each place stand for instance norms: those take the mean of every image away, and that
is the window's loudness or pressure. Targets are standardised per frequency over the pretrain
windows, not per window, for the same reason. (3) The embedding averages over time only, not over
frequency.

Not reproduced: region probability maps (regions are label classes), and scenarios with an empty
complement, which the original also draws.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn

from physiome.config.systems.robustssf import RobustSsFSpec
from physiome.errors import ConfigError
from physiome.methods.base import Inputs, Signals
from physiome.methods.images import ImageMethod
from physiome.nn.at_once import at_once
from physiome.nn.convolutions import initialise_convolutions
from physiome.nn.losses import mse
from physiome.nn.robustssf import FusionDecoder, LevelDecoder, LevelEncoder
from physiome.subsets import Subset, all_subsets


class RobustSsF(ImageMethod):
    """Rebuilds the images of all modalities from some of them.

    Raises:
        ConfigError: if the image is too small to be halved three times.
    """

    # The full decoder embeds the full set, the scenario decoder every other subset: their features
    # have one size, but not one meaning.
    comparable = False
    departure = "decoders rebuild images from the coarsest level alone; norms keep a window's level"

    def __init__(self, spec: RobustSsFSpec, inputs: Inputs):
        weights = {"separate": 1.0, "fuse": 1.0, "coupling": spec.coupling}
        super().__init__(inputs, spec.image, weights)
        if min(spec.image.bins, spec.image.frames) <= 8:
            raise ConfigError("robustssf.image: bins and frames must exceed 8, to be halved thrice")
        self.spec = spec
        names, count = inputs.modalities, len(inputs.modalities)
        self.encoders = nn.ModuleDict({m: LevelEncoder(spec.widths, spec.slope) for m in names})
        size = (spec.image.bins, spec.image.frames)
        self.separate = LevelDecoder(spec.widths, 1, spec.slope, size)
        self.scenario = FusionDecoder(names, spec.widths, spec.slope, size)
        self.couple = FusionDecoder(names, spec.widths, spec.slope, size)
        self.full = FusionDecoder(names, spec.widths, spec.slope, size)
        self.coupling = nn.Conv2d(2 * count, count, 3, padding=1)
        initialise_convolutions(self)  # as in the published code

    @classmethod
    def build(cls, spec: RobustSsFSpec, inputs: Inputs, parents: Sequence[Any]) -> Self:
        """With fresh weights; begins with nothing."""
        return cls(spec, inputs)

    # Training

    def loss(self, batch: Signals, rng: torch.Generator) -> dict[str, Tensor]:
        """Terms separate, fuse and coupling; the latter two are zero while only encoders train.

        A modality that the batch lacks is no input and no target: "full" means all it has.
        """
        images = self.image(batch)  # (B, H, W) each
        encoded = {m: self.encoders[m](x) for m, x in images.items()}
        terms = {"separate": self._separate(encoded, images)}
        if self.progress.share < self.spec.separate_until:
            zero = terms["separate"].new_zeros(())
            return {**terms, "fuse": zero, "coupling": zero}
        present = tuple(images)
        scenario, couple = self._draw(present, rng)
        by_scenario = self.scenario({m: encoded[m] for m in scenario})  # (B, M, H, W)
        by_couple = self.couple({m: encoded[m] for m in couple})
        by_full = self.full(encoded)
        target = torch.stack(list(images.values()), dim=1)
        known = [self.modalities.index(m) for m in present]
        outputs = (by_scenario, by_couple, by_full)
        fuse = [mse(torch.stack([y[:, i] for i in known], dim=1), target) for y in outputs]
        terms["fuse"] = torch.stack(fuse).sum()
        complete = scenario == couple
        terms["coupling"] = self._coupling(by_scenario, by_couple, by_full, complete)
        return terms

    def _separate(self, encoded: Mapping[str, Tensor], images: Mapping[str, Tensor]) -> Tensor:
        """Error of each image decoded from its own modality alone."""
        weights = list(self.separate.parameters())

        def error(x: Tensor, image: Tensor) -> Tensor:
            return mse(self.separate(x)[:, 0], image)

        errors = [at_once(partial(error, image=x), encoded[m], weights) for m, x in images.items()]
        return torch.stack(errors).sum()

    def _draw(self, present: Subset, rng: torch.Generator) -> tuple[Subset, Subset]:
        """What the scenario decoder sees, and what its couple: complements, or everything each."""
        now, spec = self.progress, self.spec
        complete = now.share < spec.full_until or now.step < spec.full_share * now.steps
        if complete or len(present) == 1:
            return present, present
        proper = all_subsets(present)[1:]
        drawn = int(torch.randint(len(proper), (1,), generator=rng))
        scenario = proper[drawn]
        return scenario, tuple(m for m in present if m not in scenario)

    def _coupling(self, scenario: Tensor, couple: Tensor, full: Tensor, complete: bool) -> Tensor:
        """What complements know together is what the full set knows; (B, M, H, W) each.

        Where both see everything, each is what the full set knows. The full output is not detached.
        Both as in the published code.
        """
        if complete:
            return mse(scenario, full) + mse(couple, full)
        return mse(self.coupling(torch.cat([scenario, couple], dim=1)), full)

    # Inference

    def encode(self, observed: Signals) -> dict[str, Tensor]:
        """Modality -> coarsest level (B, C, H / 8, W / 8) of its encoder: all that `fuse` needs."""
        return {m: self.encoders[m](x) for m, x in self.image(observed).items()}

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """Average over time (B, C H / 8) of the fused coarsest level."""
        complete = all(m in encoded for m in self.modalities)
        return (self.full if complete else self.scenario).fusion(encoded).mean(dim=3).flatten(1)
