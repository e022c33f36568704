"""Image backbones of the encoder ablation (Table 3), built from `transformers` configurations.

The paper names ResNet, EfficientNet, ViT and Swin and nothing more; sizes are ours: the smallest
common model of each family, with one input channel and no pretrained weights.
"""

import math

import torch
from torch import Tensor, nn
from transformers.models.efficientnet.configuration_efficientnet import EfficientNetConfig
from transformers.models.efficientnet.modeling_efficientnet import (
    EfficientNetModel,
    round_filters,
)
from transformers.models.resnet.configuration_resnet import ResNetConfig
from transformers.models.resnet.modeling_resnet import ResNetModel
from transformers.models.swin.configuration_swin import SwinConfig
from transformers.models.swin.modeling_swin import SwinModel
from transformers.models.vit.configuration_vit import ViTConfig
from transformers.models.vit.modeling_vit import ViTModel

from physiome.config.backbones import (
    BackboneSpec,
    EfficientNetSpec,
    ResNetSpec,
    SwinSpec,
    ViTSpec,
)
from physiome.errors import ConfigError
from physiome.nn.blocks import block
from physiome.nn.convolutions import initialise_convolutions
from physiome.nn.spectrogram import SpectrogramImage
from physiome.nn.transformer import NORM_EPS

ATTENTION_OUTPUTS = r".*\.attention\.o_proj"


class Backbone(nn.Module):
    """x (B, L) in the modality's unit -> tokens (B, N + 1, D): image, backbone, linear layer.

    Index 0 is the mean of the others, or the backbone's own class token.

    Args:
        stride: side in pixels of the image area behind a token; must divide the image.
        features: width of the backbone's tokens.

    Raises:
        ConfigError: if the image does not suit the backbone.
    """

    lora_targets: str  # names of the layers that LoRA adapts, as a regular expression

    def __init__(self, spec: BackboneSpec, samples: int, stride: int, features: int):
        super().__init__()
        image = spec.image
        if image.bins % stride or image.frames % stride:
            raise ConfigError(
                f"encoders.{spec.name}.image: {image.bins} x {image.frames} does not divide into "
                f"tokens of {stride} x {stride}",
                do="choose bins and frames that are multiples",
            )
        self.grid = (image.bins // stride, image.frames // stride)
        self.n, self.width = self.grid[0] * self.grid[1], spec.width
        self.image = SpectrogramImage(image, samples)
        self.leave = nn.Linear(features, spec.width)

    def tokens(self, image: Tensor) -> Tensor:
        """(B, 1, bins, frames) -> (B, N + 1, features)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """(B, L) -> (B, N + 1, D)."""
        return self.leave(self.tokens(self.image(x)[:, None]))


class ResNetBackbone(Backbone):
    """ResNet with basic blocks. LoRA adapts the convolutions of the last stage."""

    def __init__(self, spec: ResNetSpec, samples: int):
        last = len(spec.depths) - 1
        super().__init__(spec, samples, 4 * 2**last, spec.widths[-1])
        self.lora_targets = rf".*\.stages\.{last}\..*\.convolution"
        config = ResNetConfig(
            num_channels=1,
            embedding_size=spec.stem,
            layer_type="basic",
            hidden_sizes=list(spec.widths),
            depths=list(spec.depths),
        )
        self.body = block(ResNetModel(config))

    def tokens(self, image: Tensor) -> Tensor:
        """(B, 1, bins, frames) -> (B, N + 1, features)."""
        return _mean_first(self.body(image).last_hidden_state.flatten(2).transpose(1, 2))


class EfficientNetBackbone(Backbone):
    """EfficientNet. LoRA adapts the pointwise convolutions of the last block and of the top.

    Not the depthwise ones: a factor of low rank needs more than one channel per group. Initial
    weights are drawn anew: the library draws even those of batch-norms from a normal distribution
    of 0.02, behind which signals die out and training from scratch does not start.
    """

    def __init__(self, spec: EfficientNetSpec, samples: int):
        config = EfficientNetConfig(
            num_channels=1,
            image_size=(spec.image.bins, spec.image.frames),
            width_coefficient=spec.width_factor,
            depth_coefficient=spec.depth_factor,
            # The library's 0.99 is meant for a framework that counts from the other side: here it
            # would make the running statistics those of the last batch.
            batch_norm_momentum=0.1,
        )
        config.hidden_dim = round_filters(config, 1280)
        super().__init__(spec, samples, math.prod(config.strides) * 2, config.hidden_dim)
        self.body = block(EfficientNetModel(config))
        initialise_convolutions(self.body)
        last = len(self.body.encoder.blocks) - 1
        self.lora_targets = rf".*\.blocks\.{last}\..*(expand|project)_conv|.*\.top_conv"

    def tokens(self, image: Tensor) -> Tensor:
        """(B, 1, bins, frames) -> (B, N + 1, features)."""
        return _mean_first(self.body(image).last_hidden_state.flatten(2).transpose(1, 2))


class ViTBackbone(Backbone):
    """Vision transformer with a class token. LoRA adapts the attention outputs."""

    lora_targets = ATTENTION_OUTPUTS

    def __init__(self, spec: ViTSpec, samples: int):
        super().__init__(spec, samples, spec.patch, spec.hidden)
        config = ViTConfig(
            num_channels=1,
            image_size=(spec.image.bins, spec.image.frames),
            patch_size=spec.patch,
            hidden_size=spec.hidden,
            num_hidden_layers=spec.layers,
            num_attention_heads=spec.attention_heads,
            intermediate_size=4 * spec.hidden,
            layer_norm_eps=NORM_EPS,
        )
        self.body = block(ViTModel(config, add_pooling_layer=False))

    def tokens(self, image: Tensor) -> Tensor:
        """(B, 1, bins, frames) -> (B, N + 1, features)."""
        return self.body(image).last_hidden_state


class SwinBackbone(Backbone):
    """Swin transformer. LoRA adapts the attention outputs."""

    lora_targets = ATTENTION_OUTPUTS

    def __init__(self, spec: SwinSpec, samples: int):
        halvings = len(spec.depths) - 1
        features = spec.hidden * 2**halvings
        super().__init__(spec, samples, spec.patch * 2**halvings, features)
        _check_window(spec, self.grid)
        config = SwinConfig(
            num_channels=1,
            image_size=(spec.image.bins, spec.image.frames),
            patch_size=spec.patch,
            embed_dim=spec.hidden,
            depths=list(spec.depths),
            num_heads=list(spec.attention_heads),
            window_size=spec.window,
        )
        self.body = block(SwinModel(config, add_pooling_layer=False))
        # With gradients and without, torch's fused attention takes two ways through the bias of
        # relative positions, and an embedding would depend on which.
        self.body.set_attn_implementation("eager")

    def tokens(self, image: Tensor) -> Tensor:
        """(B, 1, bins, frames) -> (B, N + 1, features)."""
        return _mean_first(self.body(image).last_hidden_state)


def _check_window(spec: SwinSpec, grid: tuple[int, int]) -> None:
    # In a smaller grid the library shrinks the window but not its table of relative positions.
    if min(grid) < spec.window:
        raise ConfigError(
            f"encoders.{spec.name}.window: {spec.window} exceeds the last stage's grid of "
            f"{grid[0]} x {grid[1]}",
            do=f"lower it to {min(grid)}",
        )


def _mean_first(tokens: Tensor) -> Tensor:
    """(B, N, D) -> (B, N + 1, D)."""
    return torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1)
