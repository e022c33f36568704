"""How long a frame must be for the frame network: arithmetic that needs no torch."""

from physiome.errors import ConfigError

KERNELS = (3, 5, 7)
POOLS = (16, 11, 6)  # average-pool kernel of each branch
STRIDES = (1, 1, 2, 2)  # of the four residual blocks
SHORTEST = 289  # samples


def joined_length(frame: int) -> int:
    """Length of the three branches' outputs joined along time, for frames of `frame` samples.

    Raises:
        ConfigError: if the frame is too short for a branch.
    """
    total = 0
    for kernel, pool in zip(KERNELS, POOLS, strict=True):
        length = (frame - 1) // 2 + 1  # stem convolution
        length = (length - 1) // 2 + 1  # max-pool
        for stride in STRIDES:
            length = (length + 2 - kernel) // stride + 1 + 2 - kernel + 1
        length -= pool - 1
        if length < 1:
            raise ConfigError(
                f"frames of {frame} samples are too short for the frame network",
                where="encoder.frame_s",
                why=f"it needs {SHORTEST} samples",
                do="use longer frames or a higher window.rate_hz",
            )
        total += length
    return total
