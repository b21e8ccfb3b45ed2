"""Layers with a kernel of its own at every position, which Keras 3 no longer has."""

import keras
import tensorflow as tf


def locally_connected(maps, kernel, bias):
    """Return at each position the products of its window with that position's kernels.

        y[n, i, j, f] = bias[i, j, f] + Σ maps[n, i + r - s//2, j + c - s//2, m] · kernel[i, j, (r·s + c)·M + m, f]

    summed over rows r, columns c of a window of side s, and maps m; beyond the border the maps are 0. One matrix
    product a position: the windows are laid out as (H, W, N, s·s·M), which needs the maps transposed once and not their
    s·s copies.

    Args:
        maps: (N, H, W, M).
        kernel: (H, W, s·s·M, F), like `maps`.
        bias: (H, W, F), like `maps`.

    Returns:
        (N, H, W, F), like `maps`.
    """
    rows, columns, depth = maps.shape[1:]
    size = round((kernel.shape[2] / depth) ** 0.5)
    border = [size // 2, size // 2]
    by_position = tf.pad(tf.transpose(maps, (1, 2, 0, 3)), [border, border, [0, 0], [0, 0]])
    windows = [by_position[r : r + rows, c : c + columns] for r in range(size) for c in range(size)]
    products = tf.matmul(tf.concat(windows, axis=-1), kernel)
    return tf.transpose(products + bias[:, :, None, :], (2, 0, 1, 3))


@keras.saving.register_keras_serializable("alexnet_tf")
class LocallyConnected2D(keras.layers.Layer):
    """`locally_connected` as a layer: like a convolution of stride 1 whose kernels are not shared between positions.

    cuda-convnet's `local`, whose biases belong to a position as well. Kernel and bias start at zero; `networks.build`
    draws the kernel.

    Args:
        filters: Kernels at each position.
        kernel_size: Height and width of a kernel in pixels, odd.
    """

    def __init__(self, *, filters: int, kernel_size: int, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.kernel_size = filters, kernel_size

    def build(self, input_shape):
        """Make the kernel (H, W, size · size · maps, filters) and the bias (H, W, filters)."""
        _, rows, columns, maps = input_shape
        shape = (rows, columns, self.kernel_size**2 * maps, self.filters)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer="zeros")
        self.bias = self.add_weight(name="bias", shape=(rows, columns, self.filters), initializer="zeros")

    def call(self, inputs):
        """Return (N, H, W, filters) of (N, H, W, maps)."""
        kernel, bias = tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.bias)
        return locally_connected(inputs, kernel, bias)

    def get_config(self):
        """Return the arguments of the constructor."""
        return {**super().get_config(), "filters": self.filters, "kernel_size": self.kernel_size}
