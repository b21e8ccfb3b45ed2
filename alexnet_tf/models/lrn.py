"""Local response normalization (§3.3) with its own gradient, and the same-map normalization of the 2012 code.

`tf.nn.local_response_normalization` has no bfloat16 kernel and a gradient made of scalar loops; here both passes are
one fused elementwise program each (XLA), and β = 0.75 costs two square roots instead of a power.
"""

from functools import lru_cache

import keras
import tensorflow as tf


def local_response_normalization(x, *, alpha: float, beta: float, k: float, size: int):
    """Return b = a / (k + α Σ a²)^β, the sum running over `size` neighbouring channels (§3.3).

    The window is cut off at the first and the last channel. α is not divided by `size`, as in the paper's formula and
    in `tf.nn.local_response_normalization` (there `depth_radius` is size // 2); Caffe, PyTorch and the 2012 code
    divide by it.

    Args:
        x: (N, H, W, C) float32 or bfloat16; the sum and the power are float32.
        alpha: α.
        beta: β.
        k: k.
        size: n, the odd window in channels.

    Returns:
        A tensor like `x`.
    """
    return _program(alpha, beta, k, size // 2, tuple(x.shape), x.dtype)(x)


@lru_cache(maxsize=64)
def _program(alpha: float, beta: float, k: float, radius: int, shape: tuple, dtype: tf.DType):
    """Return the normalization for one kind of input; compiled programs are kept, one for each kind."""
    del shape, dtype  # only in the key: a program that saw many shapes would be traced again and again

    @tf.function(jit_compile=True, autograph=False)
    def forward(a):
        a32 = tf.cast(a, tf.float32)
        return tf.cast(a32 * _scale(a32, alpha, beta, k, radius)[1], a.dtype)

    @tf.function(jit_compile=True, autograph=False)
    def backward(a, upstream):
        a32, g = tf.cast(a, tf.float32), tf.cast(upstream, tf.float32)
        d, r = _scale(a32, alpha, beta, k, radius)
        # db_i/da_i sums over every window that a_i is in; the band is symmetric, so it is its own transpose.
        shared = _band_sum(g * a32 * r / d, radius)
        return tf.cast(g * r - (2 * alpha * beta) * a32 * shared, a.dtype)

    @tf.custom_gradient
    def normalize(a):
        return forward(a), lambda upstream: backward(a, upstream)

    return normalize


def _scale(a, alpha: float, beta: float, k: float, radius: int):
    """Return d = k + α Σ a² and d^-β."""
    d = k + alpha * _band_sum(tf.square(a), radius)
    if beta == 0.75:
        r = tf.math.rsqrt(d)
        return d, r * tf.sqrt(r)
    return d, tf.pow(d, -beta)


def _band_sum(x, radius: int):
    """Sum each channel with its `radius` neighbours on either side; there is nothing beyond the ends."""
    channels = x.shape[-1]
    padded = tf.pad(x, [[0, 0]] * (x.shape.rank - 1) + [[radius, radius]])
    pieces = [padded[..., shift : shift + channels] for shift in range(2 * radius + 1)]  # pyright: ignore
    return tf.add_n(pieces)


def same_map_normalization(x):
    """Return the 5 x 5 same-map normalization `rnorm` of layers-145.cfg: a / (1 + 0.001/25 Σ a²)^0.75.

    The sum runs over the 5 x 5 neighbours in the same channel, cut off at the border; layer.py divides the configured
    scale 1e-3 by 25.

    Args:
        x: (N, H, W, C) float32 or bfloat16.

    Returns:
        A tensor like `x`.
    """
    a = tf.cast(x, tf.float32)
    mean = tf.nn.avg_pool2d(tf.pad(tf.square(a), [[0, 0], [2, 2], [2, 2], [0, 0]]), 5, 1, "VALID")
    r = tf.math.rsqrt(1.0 + 0.001 * mean)
    return tf.cast(a * r * tf.sqrt(r), x.dtype)


@keras.saving.register_keras_serializable("alexnet_tf")
class LocalResponseNormalization(keras.layers.Layer):
    """`local_response_normalization` as a layer.

    Args:
        alpha: α of §3.3, not divided by the window size.
        beta: β of §3.3.
        k: k of §3.3.
        size: n of §3.3.
    """

    def __init__(self, *, alpha: float, beta: float, k: float, size: int, **kwargs):
        super().__init__(**kwargs)
        self.alpha, self.beta, self.k, self.size = alpha, beta, k, size

    def call(self, inputs):
        """Normalize (N, H, W, C)."""
        return local_response_normalization(inputs, alpha=self.alpha, beta=self.beta, k=self.k, size=self.size)

    def get_config(self):
        """Return the arguments of the constructor."""
        return {
            **super().get_config(),
            "alpha": self.alpha,
            "beta": self.beta,
            "k": self.k,
            "size": self.size,
        }
