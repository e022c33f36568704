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

from physiome.config.image import BackboneSpec
from physiome.config.model import EncoderSpec
from physiome.errors import ConfigError
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

    def __init__(self, spec: EncoderSpec, samples: int, stride: int, features: int):
        super().__init__()
        image = spec.backbone.image
        if image.bins % stride or image.frames % stride:
            raise ConfigError(
                f"encoder.backbone.image: {image.bins} x {image.frames} does not divide into "
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

    def __init__(self, spec: EncoderSpec, samples: int):
        sizes = spec.backbone
        last = len(sizes.resnet_depths) - 1
        super().__init__(spec, samples, 4 * 2**last, sizes.resnet_widths[-1])
        self.lora_targets = rf".*\.stages\.{last}\..*\.convolution"
        self.body = ResNetModel(
            ResNetConfig(
                num_channels=1,
                embedding_size=sizes.resnet_stem,
                layer_type="basic",
                hidden_sizes=list(sizes.resnet_widths),
                depths=list(sizes.resnet_depths),
            )
        )

    def tokens(self, image: Tensor) -> Tensor:
        """(B, 1, bins, frames) -> (B, N + 1, features)."""
        return _mean_first(self.body(image).last_hidden_state.flatten(2).transpose(1, 2))


class EfficientNetBackbone(Backbone):
    """EfficientNet. LoRA adapts the pointwise convolutions of the last block and of the top.

    Not the depthwise ones: a factor of low rank needs more than one channel per group. Initial
    weights are drawn anew: the library draws even those of batch-norms from a normal distribution
    of 0.02, behind which signals die out and training from scratch does not start.
    """

    def __init__(self, spec: EncoderSpec, samples: int):
        sizes = spec.backbone
        config = EfficientNetConfig(
            num_channels=1,
            image_size=(sizes.image.bins, sizes.image.frames),
            width_coefficient=sizes.efficientnet_width,
            depth_coefficient=sizes.efficientnet_depth,
            # The library's 0.99 is meant for a framework that counts from the other side: here it
            # would make the running statistics those of the last batch.
            batch_norm_momentum=0.1,
        )
        config.hidden_dim = round_filters(config, 1280)
        super().__init__(spec, samples, math.prod(config.strides) * 2, config.hidden_dim)
        self.body = EfficientNetModel(config)
        initialise_convolutions(self.body)
        last = len(self.body.encoder.blocks) - 1
        self.lora_targets = rf".*\.blocks\.{last}\..*(expand|project)_conv|.*\.top_conv"

    def tokens(self, image: Tensor) -> Tensor:
        """(B, 1, bins, frames) -> (B, N + 1, features)."""
        return _mean_first(self.body(image).last_hidden_state.flatten(2).transpose(1, 2))


class ViTBackbone(Backbone):
    """Vision transformer with a class token. LoRA adapts the attention outputs."""

    lora_targets = ATTENTION_OUTPUTS

    def __init__(self, spec: EncoderSpec, samples: int):
        sizes = spec.backbone
        super().__init__(spec, samples, sizes.vit_patch, sizes.vit_width)
        config = ViTConfig(
            num_channels=1,
            image_size=(sizes.image.bins, sizes.image.frames),
            patch_size=sizes.vit_patch,
            hidden_size=sizes.vit_width,
            num_hidden_layers=sizes.vit_depth,
            num_attention_heads=sizes.vit_heads,
            intermediate_size=4 * sizes.vit_width,
            layer_norm_eps=NORM_EPS,
        )
        self.body = ViTModel(config, add_pooling_layer=False)

    def tokens(self, image: Tensor) -> Tensor:
        """(B, 1, bins, frames) -> (B, N + 1, features)."""
        return self.body(image).last_hidden_state


class SwinBackbone(Backbone):
    """Swin transformer. LoRA adapts the attention outputs."""

    lora_targets = ATTENTION_OUTPUTS

    def __init__(self, spec: EncoderSpec, samples: int):
        sizes = spec.backbone
        halvings = len(sizes.swin_depths) - 1
        features = sizes.swin_width * 2**halvings
        super().__init__(spec, samples, sizes.swin_patch * 2**halvings, features)
        _check_window(sizes, self.grid)
        config = SwinConfig(
            num_channels=1,
            image_size=(sizes.image.bins, sizes.image.frames),
            patch_size=sizes.swin_patch,
            embed_dim=sizes.swin_width,
            depths=list(sizes.swin_depths),
            num_heads=list(sizes.swin_heads),
            window_size=sizes.swin_window,
        )
        self.body = SwinModel(config, add_pooling_layer=False)
        # With gradients and without, torch's fused attention takes two ways through the bias of
        # relative positions, and an embedding would depend on which.
        self.body.set_attn_implementation("eager")

    def tokens(self, image: Tensor) -> Tensor:
        """(B, 1, bins, frames) -> (B, N + 1, features)."""
        return _mean_first(self.body(image).last_hidden_state)


def _check_window(sizes: BackboneSpec, grid: tuple[int, int]) -> None:
    # In a smaller grid the library shrinks the window but not its table of relative positions.
    if min(grid) < sizes.swin_window:
        raise ConfigError(
            f"encoder.backbone.swin_window: {sizes.swin_window} exceeds the last stage's grid of "
            f"{grid[0]} x {grid[1]}",
            do=f"lower it to {min(grid)}",
        )


def _mean_first(tokens: Tensor) -> Tensor:
    """(B, N, D) -> (B, N + 1, D)."""
    return torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1)
