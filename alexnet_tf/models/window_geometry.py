"""Where the windows of the networks' convolutions and pools are on their maps. No TensorFlow."""

from typing import Literal

from alexnet_tf.models.specs import AlexNetBNSpec, AlexNetSpec

# Of conv1..conv5 of `AlexNetSpec`, the first two in pixels.
KERNEL_SIZES = (11, 5, 3, 3, 3)  # §3.5
STRIDES = (4, 1, 1, 1, 1)  # §3.5
SEES: tuple[Literal["own", "all"], ...] = ("all", "own", "all", "own", "own")  # which towers' maps: §3.2, figure 2


def pool_geometry(pooling: str) -> tuple[int, int]:
    """Return (window, stride) of §3.4's `overlapping` or the ablation's `paired` pooling, in pixels."""
    return {"overlapping": (3, 2), "paired": (2, 2)}[pooling]


def pool_overrun(size: int, window: int, stride: int) -> int:
    """Return by how many pixels the last window of a pool overruns the map (layer.py: ceil)."""
    return -(size - window) % stride


def conv_paddings(network: AlexNetSpec, crop_size: int) -> tuple[tuple[int, int], ...]:
    """Return the (before, after) zero padding in pixels of conv1..conv5, equal on both axes.

    The 2 x 2 pooling of layers-147.cfg takes one pixel less around conv2 and conv5, which keeps fc6's 6 x 6 x 256.
    """
    conv1 = conv1_padding(crop_size)
    if network.pooling == "paired":
        return conv1, (1, 1), (1, 1), (1, 1), (0, 0)
    return conv1, (2, 2), (1, 1), (1, 1), (1, 1)


def conv1_padding(crop_size: int) -> tuple[int, int]:
    """Return conv1's (before, after) zero padding: none before, what the last window lacks after.

    So 224 pixels become 55 (layer.py, `modulesX` = 1 + ceil((224 - 11) / 4)).

    Example:
        >>> conv1_padding(224)
        (0, 3)
        >>> conv1_padding(227)
        (0, 0)
    """
    return 0, -(crop_size - KERNEL_SIZES[0]) % STRIDES[0]


def bn_conv1_padding(network: AlexNetBNSpec) -> Literal["same", "valid"]:
    """Return how conv1 meets the border: a whitened patch is within the image."""
    return "valid" if network.conv1 == "whitening" else "same"


def bn_head_size(size: int) -> int:
    """Return the side of the map that fc6 of `AlexNetBNSpec` sees: pool5, averaged down to about 4 x 4."""
    return size // (size // 4) if size > 4 else size
