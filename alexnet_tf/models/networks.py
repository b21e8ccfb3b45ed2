"""The networks, made and initialized from one seed."""

import keras
import numpy as np
import tensorflow as tf

from alexnet_tf.errors import ConfigError
from alexnet_tf.models import four_layer_spec, specs
from alexnet_tf.models.alexnet import AlexNet
from alexnet_tf.models.alexnet_bn import AlexNetBN
from alexnet_tf.models.four_layer import FourLayer
from alexnet_tf.models.four_layer_spec import FOUR_LAYER_NAMES
from alexnet_tf.models.layer_table import layer_table
from alexnet_tf.models.weights import layer_of

Model = AlexNet | AlexNetBN | FourLayer


def build(
    spec: specs.Network,
    *,
    crop_size: int,
    num_classes: int,
    seed: int = 0,
    precision: str = "float32",
) -> Model:
    """Return the network with its variables made and initialized from `seed`, kernels as §5 has them.

    Args:
        spec: What to build.
        crop_size: Height and width of the input in pixels.
        num_classes: K.
        seed: Fixes the initial weights: variable i draws from (seed, i), whatever the strategy, and so does variable i
            of a network that lacks a layer before it. Also the seed of the dropout of calls without a `RandomStreams`.
            0 to 2^31 - 1.
        precision: `float32`, or `bfloat16` layers over float32 variables.

    Returns:
        A built Keras model: (N, crop, crop, 3) float32 -> logits (N, K) float32.

    Raises:
        ConfigError: Keras has another backend than TensorFlow.
        ValueError: The crop is too small for the network, the seed is out of range, or there is no such precision.

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
    if not 0 <= seed < 2**31:
        raise ValueError(f"seed must be a whole number from 0 to 2^31 - 1, got {seed}")
    if precision not in ("float32", "bfloat16"):
        raise ValueError(f"precision must be float32 or bfloat16, got {precision!r}")
    layer_table(spec, crop_size, 3, num_classes)
    policy = keras.DTypePolicy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    networks = {"alexnet": AlexNet, "alexnet_bn": AlexNetBN, "four_layer": FourLayer}
    dropout = {} if spec.name == "four_layer" else {"seed": seed}  # the small network drops nothing
    model = networks[spec.name](spec, crop_size, num_classes, **dropout, dtype=policy, name=spec.name)
    model(tf.zeros((1, crop_size, crop_size, 3)))
    for position, variable in enumerate(model.weights):
        if variable.path.endswith("/kernel"):
            if isinstance(spec, specs.AlexNetSpec):
                position = 2 * specs.LAYER_NAMES.index(layer_of(variable))  # a kernel and a bias each
            variable.assign(_initial_weights(variable, spec, (seed, position)))
    return model


def _initial_weights(variable, spec, seed: tuple[int, int]):
    """Draw an untruncated normal: the description's σ by layer, or He's √(2 / fan-in)."""
    layer = layer_of(variable)
    if isinstance(spec, specs.AlexNetBNSpec):
        stddev = float(np.sqrt(2.0 / np.prod(variable.shape[:-1])))
    else:
        names = FOUR_LAYER_NAMES if isinstance(spec, four_layer_spec.FourLayerSpec) else specs.LAYER_NAMES
        stddev = spec.weight_stddev[names.index(layer)]
    weights = stddev * tf.random.stateless_normal(variable.shape, seed, alg="philox")
    if isinstance(spec, specs.AlexNetBNSpec) and spec.initialization == "identity" and "conv1" < layer < "conv6":
        return _pass_on_maps(weights.numpy())
    return weights


def _pass_on_maps(kernel: np.ndarray) -> np.ndarray:
    """Let output map i of a kernel (size, size, maps, filters) be input map i, for as many as both have."""
    size, _, maps, filters = kernel.shape
    passed = np.arange(min(maps, filters))
    kernel[:, :, :, passed] = 0.0
    kernel[size // 2, size // 2, passed, passed] = 1.0
    return kernel
