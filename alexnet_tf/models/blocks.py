"""A convolution with a stride as one of stride 1 over blocks of pixels, which matrix units compute faster.

The windows of conv1 have 11 x 11 pixels and move by 4 (§3.5). Each lies in 3 x 3 blocks of 4 x 4 pixels and moves by
one block. The maps of a block are the values of all its pixels, 48 instead of the 3 of colours; a twelfth row and
column of weights are 0.
"""

from collections.abc import Sequence

import tensorflow as tf


def convolve_blocks(maps, kernels, stride: int, padding: Sequence[int]):
    """Return what `tf.nn.conv2d` makes of padded maps with each of several kernels, up to rounding.

    Args:
        maps: (N, H, W, M), float32 or bfloat16; H and W are known.
        kernels: (k, k, M, F) of each convolution, like `maps`.
        stride: s, the step of the window in pixels.
        padding: Zeros (before, after) on both axes, in pixels.

    Returns:
        A list of (N, (H + padding - k) // s + 1, (W + padding - k) // s + 1, F), like `maps`.
    """
    size, depth, filters = kernels[0].shape[1:]
    reach = -(-size // stride)  # of a window, in blocks
    before, missing = padding[0], reach * stride - size
    rows, columns = ((side + sum(padding) - size) // stride + reach for side in maps.shape[1:3])
    height, width = rows * stride, columns * stride
    border = [[before, max(0, end - before - side)] for end, side in zip((height, width), maps.shape[1:3], strict=True)]
    padded = tf.pad(maps, [[0, 0], *border, [0, 0]])[:, :height, :width]
    pixels = tf.reshape(padded, (-1, rows, stride, columns, stride, depth))
    blocks = tf.reshape(tf.transpose(pixels, (0, 1, 3, 2, 4, 5)), (-1, rows, columns, stride**2 * depth))

    def over_blocks(kernel):
        whole = tf.pad(kernel, [[0, missing], [0, missing], [0, 0], [0, 0]])
        weights = tf.reshape(whole, (reach, stride, reach, stride, depth, filters))
        return tf.reshape(tf.transpose(weights, (0, 2, 1, 3, 4, 5)), (reach, reach, stride**2 * depth, filters))

    return [tf.nn.conv2d(blocks, over_blocks(kernel), 1, "VALID") for kernel in kernels]
