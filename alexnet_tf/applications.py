"""Networks for `model.fit`: built, initialized, ready to compile, as `keras.applications` has them.

They take centred images and return logits:

- inputs are float32 (N, crop, crop, 3), RGB, 0..255 minus the mean of the training images (§2), a mean image or one
  mean a channel; of `AlexNetBN` also divided by 64. The network does not do it, as it does not know the images. Of
  grey images all three channels are the same: `np.repeat(grey[..., None], 3, axis=-1)`;
- outputs are logits, so losses need `from_logits=True`;
- in training dropout draws from the model's own seed. No two steps and no two replicas of a `tf.distribute` strategy
  drop the same units;
- precision is that of the argument: Keras' global dtype policy is ignored.
"""

from typing import TYPE_CHECKING, Any

from alexnet_tf import profiles
from alexnet_tf.models import four_layer_spec, specs

if TYPE_CHECKING:
    import keras


def alexnet_spec(profile: str = "original", **changes: Any) -> specs.AlexNetSpec:
    """Return the network of 2012 as one of its three readings describes it.

    Args:
        profile: `original`, the code that produced the published errors; `paper`, its text; `caffe`, bvlc_alexnet.
        **changes: Fields of `AlexNetSpec` that are to differ.

    Raises:
        ConfigError: There is no such profile, a change is no field, or its value is out of range.

    Example:
        >>> import alexnet_tf as an
        >>> an.alexnet_spec("original").lrn_alpha, an.alexnet_spec("paper").lrn_alpha
        (2e-05, 0.0001)
        >>> an.alexnet_spec("caffe", dropout=0.3).bias
        [0.0, 0.1, 0.0, 0.1, 0.1, 0.1, 0.1, 0.0]
    """
    return specs.AlexNetSpec(**profiles.values(profile, "network") | changes)


def AlexNet(
    num_classes: int = 1000,
    crop_size: int = 224,
    profile: str = "original",
    seed: int = 0,
    *,
    precision: str = "float32",
    name: str | None = None,
) -> "keras.Model":
    """Return the network of the paper (§3.5) with its initial weights: 61 million parameters for 1000 classes.

    Args:
        num_classes: K.
        crop_size: Height and width of the input in pixels, at least 36.
        profile: `original`, the code that produced the published errors; `paper`, its text (§5: a standard deviation of
            0.01 in all layers, where `original` has 0.03 in conv3 to conv5); `caffe`, bvlc_alexnet.
        seed: Fixes the initial weights and the dropout (§4.2), 0 to 2^31 - 1.
        precision: `float32`, or `bfloat16` layers over float32 variables.
        name: Of the Keras model; two networks in one model need two.

    Returns:
        A built model: (N, crop, crop, 3) float32, RGB, 0..255 minus the training images' mean -> logits (N, K) float32.

    Raises:
        ConfigError: There is no such profile, the crop is too small, or another argument is out of range.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> import alexnet_tf as an
        >>> model = an.AlexNet(num_classes=5, crop_size=63)
        >>> model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
        >>> images = np.random.default_rng(0).integers(0, 256, (4, 63, 63, 3)).astype("float32")
        >>> model(images - images.mean(axis=(0, 1, 2))).shape
        TensorShape([4, 5])
    """
    from alexnet_tf.models.networks import build

    return build(
        alexnet_spec(profile), crop_size=crop_size, num_classes=num_classes, seed=seed, precision=precision, name=name
    )


def AlexNetBN(
    num_classes: int = 1000,
    crop_size: int = 128,
    seed: int = 0,
    *,
    precision: str = "float32",
    name: str | None = None,
) -> "keras.Model":
    """Return the optimized network: AlexNet's five convolutions and three dense layers with batch normalization.

    It is not in the paper; experiments/imagenet2012.yaml trains it as `optimized`, and `AlexNetBNSpec` describes it.

    Args:
        num_classes: K.
        crop_size: Height and width of the input in pixels, at least 15.
        seed: Fixes the initial weights and the dropout, 0 to 2^31 - 1.
        precision: `float32`, or `bfloat16` layers over float32 variables.
        name: Of the Keras model; two networks in one model need two.

    Returns:
        A built model: (N, crop, crop, 3) float32, RGB, (0..255 minus the mean) / 64 -> logits (N, K) float32.

    Raises:
        ConfigError: The crop is too small, or another argument is out of range.

    Example:
        >>> import numpy as np
        >>> import alexnet_tf as an
        >>> model = an.AlexNetBN(num_classes=5, crop_size=32)
        >>> images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype("float32")
        >>> model((images - images.mean(axis=(0, 1, 2))) / 64).shape
        TensorShape([4, 5])
    """
    from alexnet_tf.models.networks import build

    return build(
        specs.AlexNetBNSpec(), crop_size=crop_size, num_classes=num_classes, seed=seed, precision=precision, name=name
    )


def FourLayer(
    num_classes: int = 10,
    crop_size: int = 24,
    seed: int = 0,
    *,
    precision: str = "float32",
    name: str | None = None,
) -> "keras.Model":
    """Return the four-layer network of the experiments on CIFAR-10 (§3.1, §3.3), initialized as its 2012 file says.

    Args:
        num_classes: K.
        crop_size: Height and width of the input in pixels, at least 4.
        seed: Fixes the initial weights, 0 to 2^31 - 1; the network has no dropout.
        precision: `float32`, or `bfloat16` layers over float32 variables.
        name: Of the Keras model; two networks in one model need two.

    Returns:
        A built model: (N, crop, crop, 3) float32, RGB, 0..255 minus the training images' mean -> logits (N, K) float32.

    Raises:
        ConfigError: The crop is too small, or another argument is out of range.

    Example:
        >>> import alexnet_tf as an
        >>> an.FourLayer().count_params()
        1116490
    """
    from alexnet_tf.models.networks import build

    return build(
        four_layer_spec.FourLayerSpec(),
        crop_size=crop_size,
        num_classes=num_classes,
        seed=seed,
        precision=precision,
        name=name,
    )


def custom_objects() -> dict[str, type]:
    """Return the classes that a `.keras` file of these networks names; asking for them also registers them with Keras.

    Returns:
        Registered name -> class, for `keras.saving.load_model`.

    Example:
        >>> import tempfile
        >>> import keras
        >>> import alexnet_tf as an
        >>> file = tempfile.NamedTemporaryFile(suffix=".keras")
        >>> an.FourLayer().save(file.name)
        >>> keras.saving.load_model(file.name, custom_objects=an.custom_objects()).count_params()
        1116490
    """
    import keras

    from alexnet_tf.models import alexnet, alexnet_bn, four_layer
    from alexnet_tf.models.batch_norm import BatchNormActivation
    from alexnet_tf.models.features import Features
    from alexnet_tf.models.layers import Dense, LocallyConnected2D, TowerConv2D
    from alexnet_tf.models.lrn import LocalResponseNormalization

    networks = (alexnet.AlexNet, alexnet_bn.AlexNetBN, four_layer.FourLayer, Features)
    layers = (Dense, TowerConv2D, LocallyConnected2D, LocalResponseNormalization, BatchNormActivation)
    return {keras.saving.get_registered_name(each): each for each in (*networks, *layers)}
