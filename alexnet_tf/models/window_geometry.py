"""Where the windows of the networks' convolutions and pools are on their maps. No TensorFlow."""

from typing import Literal

from alexnet_tf.models.specs import AlexNetBNSpec, AlexNetSpec


def pool_geometry(pooling: str) -> tuple[int, int]:
    """Return (window, stride) of §3.4's `overlapping` or the ablation's `paired` pooling, in pixels."""
    return {"overlapping": (3, 2), "paired": (2, 2)}[pooling]


def pool_padding(size: int, window: int, stride: int) -> tuple[int, int]:
    """Return the (before, after) padding in pixels of a pool: the last window may overrun (layer.py: ceil)."""
    return 0, -(size - window) % stride


def conv_paddings(network: AlexNetSpec) -> tuple[tuple[int, int], ...]:
    """Return the (before, after) zero padding in pixels of conv1..conv5, equal on both axes.

    conv1 starts its windows at pixel 0 and lets the last one overrun into zeros: 224 becomes 55 (layer.py,
    `modulesX` = 1 + ceil((224 - 11) / 4)). For other crops see `conv1_padding`. The 2 x 2 pooling of
    layers-147.cfg takes one pixel less around conv2 and conv5, which keeps fc6's 6 x 6 x 256.
    """
    if network.pooling == "paired":
        return (0, 0), (1, 1), (1, 1), (1, 1), (0, 0)
    return (0, 0), (2, 2), (1, 1), (1, 1), (1, 1)


def conv1_padding(crop_size: int) -> tuple[int, int]:
    """Return conv1's (before, after) zero padding for a crop: none before, what the last 11-wide window lacks after.

    Example:
        >>> conv1_padding(224)
        (0, 3)
        >>> conv1_padding(227)
        (0, 0)
    """
    return 0, -(crop_size - 11) % 4


def bn_conv1_padding(network: AlexNetBNSpec) -> Literal["same", "valid"]:
    """Return how conv1 meets the border: a whitened patch is within the image."""
    return "valid" if network.conv1 == "whitening" else "same"


def bn_head_size(size: int) -> int:
    """Return the side of the map that fc6 of `AlexNetBNSpec` sees: pool5, averaged down to about 4 x 4."""
    return size // (size // 4) if size > 4 else size
