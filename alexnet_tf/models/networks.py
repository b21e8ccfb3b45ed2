"""The networks, made and initialized from one seed."""

import operator
from itertools import count
from typing import Any

import keras

from alexnet_tf.errors import ConfigError
from alexnet_tf.models import specs
from alexnet_tf.models.alexnet import AlexNet
from alexnet_tf.models.alexnet_bn import AlexNetBN
from alexnet_tf.models.four_layer import FourLayer
from alexnet_tf.models.initial_weights import initialize
from alexnet_tf.models.layer_table import layer_table

Model = AlexNet | AlexNetBN | FourLayer


def build(
    spec: specs.Network,
    *,
    crop_size: int,
    num_classes: int,
    seed: int = 0,
    precision: str = "float32",
    name: str | None = None,
) -> Model:
    """Return the network with its variables made and initialized from `seed`, kernels as §5 has them.

    Args:
        spec: What to build.
        crop_size: Height and width of the input in pixels.
        num_classes: K.
        seed: Fixes the initial weights: variable i draws from (seed, i), whatever the strategy, and so does variable i
            of a network that lacks a layer before it. Also the seed of the dropout of calls without a `RandomStreams`.
            0 to 2^31 - 1.
        precision: `float32`, or `bfloat16` layers over float32 variables; Keras' global dtype policy is ignored.
        name: Of the Keras model, by default that of the description; two networks in one model need two.

    Returns:
        A built Keras model: (N, crop, crop, 3) float32 -> logits (N, K) float32.

    Raises:
        ConfigError: An argument is of the wrong type or out of range, the crop is too small for the network, or Keras
            has another backend than TensorFlow.

    Example:
        >>> import alexnet_tf as an
        >>> spec = an.AlexNetSpec(filters=[8, 16, 16, 16, 16], dense_units=[32, 32])
        >>> an.build(spec, crop_size=63, num_classes=5).count_params()
        10949
    """
    if (backend := keras.backend.backend()) != "tensorflow":
        raise ConfigError(
            f"Keras has the backend {backend}; the networks need tensorflow: set KERAS_BACKEND=tensorflow before Keras "
            "is imported, or `backend` in ~/.keras/keras.json."
        )
    networks = {specs.AlexNetSpec: AlexNet, specs.AlexNetBNSpec: AlexNetBN, specs.FourLayerSpec: FourLayer}
    if type(spec) not in networks:
        known = ", ".join(each.__name__ for each in networks)
        raise ConfigError(f"spec: expected one of {known}, such as alexnet_tf.alexnet_spec(), got {spec!r}")
    if precision not in ("float32", "bfloat16"):
        raise ConfigError(f"precision: expected float32 or bfloat16, got {precision!r}")
    if not (name is None or (isinstance(name, str) and name and "/" not in name)):
        raise ConfigError(f"name: expected a word without /, or None, got {name!r}")
    num_classes = _whole_number("num_classes", num_classes, least=1)
    seed = _whole_number("seed", seed, least=0, most=2**31 - 1)
    crop_size = _whole_number("crop_size", crop_size, least=1)
    if not _fits(spec, crop_size):
        least = next(side for side in count(crop_size + 1) if _fits(spec, side))
        raise ConfigError(
            f"crop_size: expected at least {least} pixels, got {crop_size}: the crop is too small for this network"
        )
    policy = keras.DTypePolicy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    model = networks[type(spec)](spec, crop_size, num_classes, seed, dtype=policy, name=name or spec.name)
    initialize(model)
    return model


def _whole_number(name: str, value: Any, *, least: int, most: int | None = None) -> int:
    """Return an argument as an int, NumPy's whole numbers included."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least or (most is not None and number > most):
        upwards = f"from {least} to 2^31 - 1" if most else f"of at least {least}"
        raise ConfigError(f"{name}: expected a whole number {upwards}, got {value!r}")
    return number


def _fits(spec: specs.Network, crop_size: int) -> bool:
    try:
        layer_table(spec, crop_size, 1)
    except ValueError:
        return False
    return True
