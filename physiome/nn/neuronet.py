"""The modality encoder of NeuroNet: scaled signal -> frame features -> class and frame tokens."""

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from physiome.config.model import EncoderSpec
from physiome.errors import ConfigError
from physiome.nn.masking import take_tokens
from physiome.nn.neuronet_frames import FrameNetwork
from physiome.nn.neuronet_leads import LeadPool
from physiome.nn.scaling import Scaling
from physiome.nn.transformer import Transformer, initialise, sincos_positions


class ModalityEncoder(nn.Module):
    """x (B, L) in the modality's unit -> e (B, N + 1, D); index 0 is the class token.

    Args:
        leads: of the modality; with any, x is (B, leads, L), of none it is a single channel.

    Raises:
        ConfigError: if a window or a frame is too short.
    """

    positions: Tensor
    lora_targets: ClassVar[str] = r".*\.attn\.proj"  # attention outputs

    def __init__(self, spec: EncoderSpec, samples: int, rate_hz: float, leads: int = 0):
        super().__init__()
        frame, step = spec.in_samples(rate_hz)
        if frame > samples:
            raise ConfigError(f"encoder.frame_s {spec.frame_s} is longer than the window")
        self.n, self.width = spec.frames(samples, rate_hz), spec.width
        self.scaling = Scaling()
        self.frame_network = FrameNetwork(frame, step, spec.channels, samples)
        features = self.frame_network.features
        self.lead_pool = LeadPool(features, leads, spec.leads) if leads else None
        self.enter = nn.Linear(features, spec.width)
        self.class_token = nn.Parameter(torch.randn(spec.width) * 0.02)
        self.register_buffer("positions", sincos_positions(self.n, spec.width), persistent=False)
        self.transformer = Transformer(spec.width, spec.depth, spec.heads)
        initialise(self.enter)
        initialise(self.transformer)
        # Where given, it answers for `features`, and calls what it is given to have them computed
        self.keeper: Callable[[Callable[[], Tensor]], Tensor] | None = None

    def features(self, x: Tensor) -> Tensor:
        """Frame features f: (B, L), or (B, C, L) of several leads -> (B, N, features)."""
        return self.keeper(lambda: self._features(x)) if self.keeper else self._features(x)

    def _features(self, x: Tensor) -> Tensor:
        x = self.scaling(x)
        return self.lead_pool(self.frame_network, x) if self.lead_pool else self.frame_network(x)

    def tokens(self, features: Tensor, kept: Tensor | None = None) -> Tensor:
        """Encode frame features, all of them or only the `kept` (B, K): -> (B, K + 1, D)."""
        positions = self.positions
        if kept is not None:
            features, positions = take_tokens(features, kept), positions[kept]
        y = self.enter(features) + positions
        first = self.class_token.to(y.dtype).expand(len(y), 1, self.width)
        return self.transformer(torch.cat([first, y], dim=1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, L) or (B, C, L) -> (B, N + 1, D)."""
        return self.tokens(self.features(x))
