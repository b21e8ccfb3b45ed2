"""The networks, made and initialized from one seed."""

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
    model = networks[spec.name](spec, crop_size, num_classes, seed, dtype=policy, name=spec.name)
    initialize(model)
    return model
