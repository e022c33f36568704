"""VICReg, by pytorch-metric-learning: in a module of its own, as the library is slow to import."""

from pytorch_metric_learning.losses import VICRegLoss
from torch import Tensor

from physiome.nn.losses import full
from physiome.nn.precision import float32


def vicreg(a: Tensor, b: Tensor, invariance: float, variance: float, covariance: float) -> Tensor:
    """VICReg between two views (B, D), B > 1: alike, spread in each feature, and decorrelated.

    The three numbers weigh the terms. The library's variance is the unbiased one, where CroSSL's
    published code divides by B.
    """
    with float32(a.device):
        weights = {
            "invariance_lambda": invariance,
            "variance_mu": variance,
            "covariance_v": covariance,
        }
        return VICRegLoss(**weights)(full(a), ref_emb=full(b))
