"""Initial weights of convolutional networks."""

from torch import nn


def initialise_convolutions(module: nn.Module) -> None:
    """Kaiming-normal convolution weights (by inputs per output), unit batch-norms; biases stay."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.ones_(part.weight)
