"""Local response normalization (§3.3) with its own gradient, and the same-map normalization of the 2012 code.

`tf.nn.local_response_normalization` has no bfloat16 kernel and a gradient made of scalar loops; here all passes over
the maps are fused elementwise programs (XLA), and β = 0.75 costs two square roots instead of a power.

There are two ways to sum over neighbouring channels. `shifts` adds shifted copies within those programs. `band` is a
product with a band matrix of zeros and ones, which oneDNN computes between them: more arithmetic, but on matrix units
(AMX) that costs little. `python -m benchmarks.lrn` measures both, in both precisions, on any machine.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Literal, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from alexnet_tf.devices.precision import on_matrix_units

Method = Literal["shifts", "band"]


def local_response_normalization(
    x, *, alpha: float, beta: float, k: float, size: int, method: Method | Literal["auto"] = "auto"
):
    """Return b = a / (k + α Σ a²)^β, the sum running over `size` neighbouring channels (§3.3).

    The window is cut off at the first and the last channel. α is not divided by `size`, as in the paper's formula and
    in `tf.nn.local_response_normalization` (there `depth_radius` is size // 2); Caffe, PyTorch and the 2012 code
    divide by it.

    Args:
        x: (N, H, W, C) float32 or bfloat16; the power is float32, and so is the sum, except that `band` rounds the
            summands and the sum of the neighbours, without the channel itself, to the type of `x`.
        alpha: α.
        beta: β.
        k: k.
        size: n, the odd window in channels.
        method: How neighbours are summed; `auto` is what `faster_method` says.

    Returns:
        A tensor like `x`.
    """
    if method == "auto":
        method = faster_method(x.dtype)
    with tf.name_scope("lrn"):
        return _PROGRAMS[method](_Formula(alpha, beta, k, size // 2), tuple(x.shape), x.dtype)(x)


def faster_method(dtype: tf.DType) -> Method:
    """Return how to sum over neighbours in `dtype`: `band` where products are computed on matrix units.

    In float32 on a processor with AVX2, `band` takes 1.4 times as long. In bfloat16 on one with AMX, it took 0.8 of the
    time. The two were not compared where there is bfloat16 without AMX: `python -m benchmarks.lrn` does.
    """
    return "band" if on_matrix_units(dtype.name) else "shifts"


class _Formula(NamedTuple):
    """The constants of §3.3, and what follows from d = k + α Σ a² in both programs, all float32."""

    alpha: float
    beta: float
    k: float
    radius: int

    def scale(self, d):
        """Return d^-β."""
        if self.beta == 0.75:
            root = tf.sqrt(d)
            return 1 / (root * tf.sqrt(root))
        return tf.pow(d, -self.beta)

    def gradient(self, a, d, upstream, shared):
        """Return the gradient of a, where `shared` sums `summand` over every window that a is in."""
        return upstream * self.scale(d) - (2 * self.alpha * self.beta) * a * shared

    def summand(self, a, d, upstream):
        """Return g·a·d^-(β+1). The band is symmetric, so that backwards it is summed as a² is forwards."""
        return upstream * self.scale(d) * a / d


@lru_cache(maxsize=64)
def _shifts_program(formula: _Formula, shape: tuple, dtype: tf.DType) -> Callable:
    """Return the normalization for one kind of input; compiled programs are kept, one for each kind."""
    del shape, dtype  # only in the key: a program that saw many shapes would be traced again and again

    def denominator(a):
        return formula.k + formula.alpha * _shifted_sum(tf.square(a), formula.radius)

    @tf.function(jit_compile=True, autograph=False)
    def lrn_forward(a):
        a32 = tf.cast(a, tf.float32)
        return tf.cast(a32 * formula.scale(denominator(a32)), a.dtype)

    @tf.function(jit_compile=True, autograph=False)
    def lrn_backward(a, upstream):
        a32, g = tf.cast(a, tf.float32), tf.cast(upstream, tf.float32)
        d = denominator(a32)
        shared = _shifted_sum(formula.summand(a32, d, g), formula.radius)
        return tf.cast(formula.gradient(a32, d, g, shared), a.dtype)

    @tf.custom_gradient
    def normalize(a):
        return lrn_forward(a), lambda upstream: lrn_backward(a, upstream)

    return normalize


def _shifted_sum(x, radius: int):
    """Sum each channel with its `radius` neighbours on either side; there is nothing beyond the ends."""
    channels = x.shape[-1]
    padded = tf.pad(x, [[0, 0]] * (x.shape.rank - 1) + [[radius, radius]])
    pieces = [padded[..., shift : shift + channels] for shift in range(2 * radius + 1)]  # pyright: ignore
    return tf.add_n(pieces)


@lru_cache(maxsize=64)
def _band_program(formula: _Formula, shape: tuple, dtype: tf.DType) -> Callable:
    """As `_shifts_program`, with the sums outside of XLA, whose products do not use oneDNN.

    The channel itself is not in the band: its summand is at hand in float32 where the sum is used.
    """
    channels = shape[-1]
    distance = np.abs(np.subtract.outer(np.arange(channels), np.arange(channels)))
    band = (distance > 0) & (distance <= formula.radius)

    def neighbours(summands):
        rows = tf.reshape(summands, (-1, channels))
        return tf.reshape(tf.matmul(rows, tf.constant(band, dtype)), tf.shape(summands))

    def denominator(a, near):
        return formula.k + formula.alpha * (tf.square(a) + tf.cast(near, tf.float32))

    @tf.function(jit_compile=True, autograph=False)
    def lrn_squares(a):
        return tf.cast(tf.square(tf.cast(a, tf.float32)), dtype)

    @tf.function(jit_compile=True, autograph=False)
    def lrn_forward(a, near):
        a32 = tf.cast(a, tf.float32)
        return tf.cast(a32 * formula.scale(denominator(a32, near)), dtype)

    @tf.function(jit_compile=True, autograph=False)
    def lrn_summands(a, near, upstream):
        a32 = tf.cast(a, tf.float32)
        return tf.cast(formula.summand(a32, denominator(a32, near), tf.cast(upstream, tf.float32)), dtype)

    @tf.function(jit_compile=True, autograph=False)
    def lrn_backward(a, near, upstream, near_summands):
        a32, g = tf.cast(a, tf.float32), tf.cast(upstream, tf.float32)
        d = denominator(a32, near)
        shared = formula.summand(a32, d, g) + tf.cast(near_summands, tf.float32)
        return tf.cast(formula.gradient(a32, d, g, shared), dtype)

    @tf.custom_gradient
    def normalize(a):
        near = neighbours(lrn_squares(a))

        def gradient(upstream):
            return lrn_backward(a, near, upstream, neighbours(lrn_summands(a, near, upstream)))

        return lrn_forward(a, near), gradient

    return normalize


_PROGRAMS: dict[Method, Callable] = {"shifts": _shifts_program, "band": _band_program}


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

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return tuple(input_shape)

    def get_config(self):
        """Return the arguments of the constructor."""
        return {
            **super().get_config(),
            "alpha": self.alpha,
            "beta": self.beta,
            "k": self.k,
            "size": self.size,
        }
