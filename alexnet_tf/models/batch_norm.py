"""Batch normalization and the activation after it, as one layer with its own gradient.

Keras' layer leaves some fifteen passes over the maps unfused in a training graph. Here a step takes four, each one
program (XLA): two reductions and two elementwise passes, the activation and its derivative within them. Statistics are
those of the global batch, so the number of replicas changes nothing but rounding.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import keras
import tensorflow as tf

EPSILON = 1e-5  # added to a variance
GELU_SLOPE = 1.702  # Hendrycks and Gimpel (2016), section 2: GELU(z) ≈ z·σ(1.702 z)


def gelu(z):
    """Return z·σ(1.702 z), the sigmoid form of GELU (Hendrycks and Gimpel, 2016), of a float tensor."""
    return z * tf.sigmoid(GELU_SLOPE * z)


def gelu_as_swish(z):
    """Return `gelu` as u·σ(u) / 1.702 with u = 1.702 z, which rounds differently: for files that other runtimes read.

    OpenVINO 2026.4 refuses what it makes of `gelu` in a TensorFlow Lite file with float16 weights.
    """
    u = GELU_SLOPE * z
    return u * tf.sigmoid(u) / GELU_SLOPE


def _gelu_slope(z):
    s = tf.sigmoid(GELU_SLOPE * z)
    return s + GELU_SLOPE * z * s * (1.0 - s)


def _relu_slope(z):
    return tf.cast(z > 0, z.dtype)


ACTIVATIONS: dict[str, tuple[Callable, Callable]] = {
    "relu": (tf.nn.relu, _relu_slope),
    "gelu": (gelu, _gelu_slope),
    "gelu_as_swish": (gelu_as_swish, _gelu_slope),
}


class _Programs(NamedTuple):
    """The compiled passes over maps (N, ..., C). `shift`, `scale`, `offset` and all that is summed are float32 (C,)."""

    sums: Callable  # (x, shift) -> Σ(x - shift), Σ(x - shift)²
    forward: Callable  # (x, scale, offset) -> activation(x·scale + offset), like x
    slopes: Callable  # (x, upstream, scale, offset, mean) -> Σd, Σd·(x - mean), where d = upstream·activation'
    backward: Callable  # (x, upstream, scale, offset, a, b) -> scale·d + a·x + b, like x


@lru_cache(maxsize=64)
def _programs(activation: str, shape: tuple, dtype: tf.DType) -> _Programs:
    """Return the passes for one kind of input; compiled programs are kept, one for each kind."""
    del dtype  # only in the key: a program that saw many kinds of input would be traced again and again
    function, slope = ACTIVATIONS[activation]
    axes = list(range(len(shape) - 1))

    @tf.function(jit_compile=True, autograph=False)
    def sums(x, shift):
        centred = tf.cast(x, tf.float32) - shift
        return tf.reduce_sum(centred, axes), tf.reduce_sum(tf.square(centred), axes)

    @tf.function(jit_compile=True, autograph=False)
    def forward(x, scale, offset):
        return tf.cast(function(tf.cast(x, tf.float32) * scale + offset), x.dtype)

    def through_activation(x, upstream, scale, offset):
        return tf.cast(upstream, tf.float32) * slope(x * scale + offset)

    @tf.function(jit_compile=True, autograph=False)
    def slopes(x, upstream, scale, offset, mean):
        x = tf.cast(x, tf.float32)
        d = through_activation(x, upstream, scale, offset)
        return tf.reduce_sum(d, axes), tf.reduce_sum(d * (x - mean), axes)

    @tf.function(jit_compile=True, autograph=False)
    def backward(x, upstream, scale, offset, a, b):
        x32 = tf.cast(x, tf.float32)
        return tf.cast(scale * through_activation(x32, upstream, scale, offset) + a * x32 + b, x.dtype)

    return _Programs(sums, forward, slopes, backward)


def activation(x, name: str):
    """Return the activation `name` of `x`, any shape, float32 or bfloat16, computed in float32."""
    zero, one = tf.zeros(x.shape[-1]), tf.ones(x.shape[-1])
    return _programs(name, tuple(x.shape), x.dtype).forward(x, one, zero)


def normalized_activation(x, gamma, beta, mean, variance, *, activation: str):
    """Return activation(γ·(x - mean) / √(variance + ε) + β), for the statistics given.

    Args:
        x: (N, ..., C) float32 or bfloat16; the arithmetic is float32.
        gamma: γ, float32 (C,).
        beta: β, float32 (C,).
        mean: float32 (C,).
        variance: float32 (C,).
        activation: A key of `ACTIVATIONS`.

    Returns:
        A tensor like `x`.
    """
    scale = gamma * tf.math.rsqrt(variance + EPSILON)
    return _programs(activation, tuple(x.shape), x.dtype).forward(x, scale, beta - mean * scale)


def batch_normalized_activation(x, gamma, beta, shift, *, activation: str) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return activation(γ·(x - μ) / √(σ² + ε) + β) with μ and σ² of the global batch (Ioffe and Szegedy, 2015).

    Call it in replica context: the sums go over all replicas, forwards and backwards, whose batches may be of different
    sizes. The gradients of γ and β are this replica's share, as those of other weights are.

    Args:
        x: (N, ..., C) float32 or bfloat16; the statistics and the arithmetic are float32.
        gamma: γ, float32 (C,).
        beta: β, float32 (C,).
        shift: float32 (C,), a guess of μ: the variance is summed around it, which loses digits only as far as the
            guess is wrong. It does not change the result but for rounding.
        activation: A key of `ACTIVATIONS`.

    Returns:
        A tensor like `x`, μ float32 (C,), and σ² float32 (C,), the mean square (divided by the number of values).
    """
    programs = _programs(activation, tuple(x.shape), x.dtype)
    replicas = tf.distribute.get_replica_context()

    def over_replicas(values):
        return replicas.all_reduce(tf.distribute.ReduceOp.SUM, values) if replicas.num_replicas_in_sync > 1 else values

    own_count = tf.cast(tf.size(x) // x.shape[-1], tf.float32)

    @tf.custom_gradient
    def normalize(x, gamma, beta):
        first, second, count = over_replicas([*programs.sums(x, shift), own_count])
        mean = shift + first / count
        variance = tf.maximum(second / count - tf.square(first / count), 0.0)
        inverse = tf.math.rsqrt(variance + EPSILON)
        scale = gamma * inverse
        offset = beta - mean * scale

        def gradient(upstream, *_):
            total, along = programs.slopes(x, upstream, scale, offset, mean)
            everywhere, everywhere_along = over_replicas([total, along])
            # dx = scale·(d - mean(d) - x̂·mean(d·x̂)), with x̂ = (x - mean)·inverse, as a function of d and x.
            a = -scale * tf.square(inverse) * everywhere_along / count
            b = -scale * everywhere / count - a * mean
            return programs.backward(x, upstream, scale, offset, a, b), along * inverse, total

        return (programs.forward(x, scale, offset), mean, variance), gradient

    return normalize(x, gamma, beta)  # pyright: ignore[reportReturnType]


@keras.saving.register_keras_serializable("alexnet_tf")
class BatchNormActivation(keras.layers.Layer):
    """Batch normalization over the last axis, then the activation.

    Args:
        activation: `relu` or `gelu`.
        momentum: Share of the old moving statistics that a training step keeps.
        learn_scale: Whether γ is learned; otherwise it is 1 and no variable.
    """

    def __init__(self, *, activation: str, momentum: float, learn_scale: bool, **kwargs):
        super().__init__(**kwargs)
        self.activation, self.momentum, self.learn_scale = activation, momentum, learn_scale

    def build(self, input_shape):
        """Make γ, β and the moving statistics, all float32 (C,)."""
        shape = (input_shape[-1],)
        # Every replica computes the same statistics, so the first one's are everybody's.
        moving = {"shape": shape, "trainable": False, "autocast": False, "aggregation": "only_first_replica"}
        self.gamma = (
            self.add_weight(name="gamma", shape=shape, initializer="ones", autocast=False) if self.learn_scale else None
        )
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros", autocast=False)
        self.moving_mean = self.add_weight(name="moving_mean", initializer="zeros", **moving)
        self.moving_variance = self.add_weight(name="moving_variance", initializer="ones", **moving)

    def call(self, inputs, training=False):
        """Normalize (N, ..., C): by the batch in training, by the moving statistics at test and where it is frozen."""
        beta = tf.convert_to_tensor(self.beta)
        gamma = tf.ones_like(beta) if self.gamma is None else tf.convert_to_tensor(self.gamma)
        moving = [tf.convert_to_tensor(variable) for variable in (self.moving_mean, self.moving_variance)]
        if not (training and self.trainable):
            return normalized_activation(inputs, gamma, beta, *moving, activation=self.activation)
        output, mean, variance = batch_normalized_activation(inputs, gamma, beta, moving[0], activation=self.activation)
        kept = self.momentum
        self.moving_mean.assign(kept * moving[0] + (1.0 - kept) * mean)
        self.moving_variance.assign(kept * moving[1] + (1.0 - kept) * variance)
        return output

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return tuple(input_shape)

    def get_config(self):
        """Return the arguments of the constructor."""
        return {
            **super().get_config(),
            "activation": self.activation,
            "momentum": self.momentum,
            "learn_scale": self.learn_scale,
        }
