"""PhysioMEs with one defect each, as found in published code: the checks must catch them."""

import torch
from torch import nn

from physiome.methods.physiome import PhysioME
from physiome.nn.transformer import initialise


class ReinitialisesEncoders(PhysioME):
    """Weight initialisation runs over the whole tree after the encoders were attached."""

    def __init__(self, spec, encoders):
        super().__init__(spec, encoders)
        initialise(self)


class DetachesEncoders(PhysioME):
    """Encoder outputs are detached: LoRA gets nothing."""

    def _tokens(self, observed):
        return {m: e.detach() for m, e in super()._tokens(observed).items()}


class DetachesDecoders(PhysioME):
    """Decoder outputs are detached before the losses: reconstruction trains nothing."""

    def __init__(self, spec, encoders):
        super().__init__(spec, encoders)
        for decoder in [*self.decoders.values(), *self.restorers.values()]:
            decoder.register_forward_hook(lambda _, __, output: output.detach())


class RestoresByPosition(PhysioME):
    """Restored in observed-then-missing order, read in the modalities' order."""

    def restore(self, encoded):
        missing = [m for m in self.modalities if m not in encoded]
        fused = self.fuse_tokens(self._complete(encoded))
        produced = [self.restorers[m](fused[m]) for m in [*encoded, *missing]]
        by_position = dict(zip(self.modalities, produced, strict=True))
        return {m: by_position[m] for m in missing}


class EncodesByPosition(PhysioME):
    """The i-th observed name is given to the i-th encoder."""

    def encode(self, observed):
        encoders = list(self.encoders.values())
        return {m: encoders[i](x) for i, (m, x) in enumerate(observed.items())}


class SlicesRestorationInput(PhysioME):
    """Restoration decoders read the first N of the observed outputs, of whatever modality."""

    def restore(self, encoded):
        missing = [m for m in self.modalities if m not in encoded]
        fused = self.fuse_tokens(self._complete(encoded))
        first = torch.cat([fused[m] for m in encoded], dim=1)[:, : self.n]
        return {m: self.restorers[m](first) for m in missing}


class TrainsFrozenEncoders(PhysioME):
    """Frozen encoders follow into training mode, and their batch-norm statistics drift."""

    def train(self, mode=True):
        return nn.Module.train(self, mode)
