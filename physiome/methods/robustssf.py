"""RobustSsF: separate encoders, scenario-specific fusion decoders, coupled outputs.

The original segments tumours in 3-D scans and learns from labels. What carries over without them:
one encoder per modality, a decoder that all share, three fusion decoders (a scenario of missing
modalities, its complement, the full set), the coupled regularisation, and the schedule. Ours: the
images are two-dimensional spectrograms, decoders rebuild them, and mean squared error takes the
place of Dice and cross-entropy. Not reproduced: region probability maps (regions are label
classes), and scenarios with an empty complement, which the original also draws.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from physiome.config.systems.robustssf import RobustSsFSpec
from physiome.errors import ConfigError
from physiome.methods.base import Inputs, Signals
from physiome.methods.images import ImageMethod
from physiome.nn.convolutions import initialise_convolutions
from physiome.nn.losses import mse
from physiome.nn.robust import FusionDecoder, ImageDecoder, ImageEncoder, Levels
from physiome.subsets import Subset, all_subsets


class RobustSsF(ImageMethod):
    """Rebuilds the images of all modalities from some of them.

    Raises:
        ConfigError: if the image is too small to be halved three times.
    """

    # The full decoder embeds the full set, the scenario decoder every other subset: their features
    # have one size, but not one meaning.
    comparable = False

    def __init__(self, spec: RobustSsFSpec, inputs: Inputs):
        weights = {"separate": 1.0, "fuse": 1.0, "coupling": spec.coupling}
        super().__init__(inputs, spec.image, weights)
        if min(spec.image.bins, spec.image.frames) <= 8:
            raise ConfigError("robustssf.image: bins and frames must exceed 8, to be halved thrice")
        self.spec = spec
        names, count = inputs.modalities, len(inputs.modalities)
        self.encoders = nn.ModuleDict({m: ImageEncoder(spec.widths, spec.slope) for m in names})
        self.separate = ImageDecoder(spec.widths, 1, spec.slope)
        self.scenario = FusionDecoder(names, spec.widths, spec.slope)
        self.couple = FusionDecoder(names, spec.widths, spec.slope)
        self.full = FusionDecoder(names, spec.widths, spec.slope)
        self.coupling = nn.Conv2d(2 * count, count, 3, padding=1)
        initialise_convolutions(self)  # as in the published code

    @classmethod
    def build(cls, settings: Mapping[str, Any], inputs: Inputs, encoders: Sequence[Any]) -> Self:
        """With fresh weights; stands on nothing."""
        return cls(RobustSsFSpec.parse(settings["method"], "robustssf"), inputs)

    # Training

    def loss(self, batch: Signals, rng: torch.Generator) -> dict[str, Tensor]:
        """Terms separate, fuse and coupling; the latter two are zero while only encoders train.

        A modality that the batch lacks is no input and no target: "full" means all it has.
        """
        images = self.image(batch)  # (B, H, W) each
        levels: dict[str, Levels] = {m: self.encoders[m](x) for m, x in images.items()}
        separate = [mse(self.separate(levels[m])[:, 0], x) for m, x in images.items()]
        terms = {"separate": torch.stack(separate).sum()}
        if self.moment.share < self.spec.separate_until:
            zero = terms["separate"].new_zeros(())
            return {**terms, "fuse": zero, "coupling": zero}
        present = tuple(images)
        scenario, couple = self._draw(present, rng)
        by_scenario = self.scenario({m: levels[m] for m in scenario})  # (B, M, H, W)
        by_couple = self.couple({m: levels[m] for m in couple})
        by_full = self.full(levels)
        target = torch.stack(list(images.values()), dim=1)
        known = [self.modalities.index(m) for m in present]
        fuse = [mse(y[:, known], target) for y in (by_scenario, by_couple, by_full)]
        terms["fuse"] = torch.stack(fuse).sum()
        terms["coupling"] = self._coupling(by_scenario, by_couple, by_full)
        return terms

    def _draw(self, present: Subset, rng: torch.Generator) -> tuple[Subset, Subset]:
        """What the scenario decoder sees, and what its couple: complements, or everything each."""
        moment, spec = self.moment, self.spec
        complete = moment.share < spec.full_until or moment.step < spec.full_share * moment.steps
        if complete or len(present) == 1:
            return present, present
        proper = all_subsets(present)[1:]
        drawn = int(torch.randint(len(proper), (1,), generator=rng, device=rng.device))
        scenario = proper[drawn]
        return scenario, tuple(m for m in present if m not in scenario)

    def _coupling(self, scenario: Tensor, couple: Tensor, full: Tensor) -> Tensor:
        """What complements know together is what the full set knows; (B, M, H, W) each.

        The full output is not detached, as in the published code.
        """
        if self.moment.share < self.spec.full_until:
            return mse(scenario, full) + mse(couple, full)
        return mse(self.coupling(torch.cat([scenario, couple], dim=1)), full)

    # Inference

    def encode(self, observed: Signals) -> dict[str, Tensor]:
        """Modality -> coarsest level (B, C, H / 8, W / 8) of its encoder: all that `fuse` needs."""
        return {m: self.encoders[m](x)[-1] for m, x in self.image(observed).items()}

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """Average over time (B, C H / 8) of the fused coarsest level.

        Not over frequency as well: behind an instance norm the average over all of an image says
        hardly anything, whatever the image shows.
        """
        complete = all(m in encoded for m in self.modalities)
        return (self.full if complete else self.scenario).deepest(encoded).mean(dim=3).flatten(1)
