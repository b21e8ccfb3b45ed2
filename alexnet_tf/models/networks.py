"""The networks, made and initialized from one seed, and a first convolution that whitens patches."""

import keras
import numpy as np
import tensorflow as tf

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
        ValueError: The crop is too small for the network, or the seed is out of range.

    Example:
        >>> import alexnet_tf as an
        >>> spec = an.AlexNetSpec(filters=[8, 16, 16, 16, 16], dense_units=[32, 32])
        >>> an.build(spec, crop_size=63, num_classes=5).count_params()
        10949
    """
    if not 0 <= seed < 2**31:
        raise ValueError(f"seed must be a whole number from 0 to 2^31 - 1, got {seed}")
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


def whiten(model: AlexNetBN, images) -> None:
    """Give conv1 the kernels that whiten patches of `images`, (N, crop, crop, 3) float32 as the network sees them."""
    size, filters = model.spec.kernel_sizes[0], model.spec.filters[0]
    model.convs[0].set_weights([whitening_kernel(np.asarray(images), size=size, filters=filters)])


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


NUM_IMAGES = 1000  # of the training split; twelve to a hundred axes need no more
_PATCH_VALUES = 20_000_000  # in memory at once, in float32 and in float64
RIDGE = 5e-4  # added to a variance, so that axes along which nothing varies are not blown up


def chosen_images(num_examples: int) -> np.ndarray:
    """Return the positions of the images that whitening looks at: at most `NUM_IMAGES`, evenly spread, int64."""
    return np.unique(np.linspace(0, num_examples - 1, min(NUM_IMAGES, num_examples)).astype(np.int64))


def whitening_kernel(images: np.ndarray, *, size: int, filters: int) -> np.ndarray:
    """Return kernels along the principal axes of the images' patches, each scaled to unit mean square.

    Every axis comes with both signs, since a rectifier follows; axes of large variance come first. The second moment
    is taken about zero, for images that are centred already. As Jordan's airbench (2024) does.

    Args:
        images: (N, H, W, 3) float32, as the network sees them.
        size: Height and width of a patch in pixels.
        filters: Kernels wanted, even, at most 6·size².

    Returns:
        (size, size, 3, filters) float32; the second half of the kernels is the first half with the other sign.
    """
    _, height, width, channels = images.shape
    moments = np.zeros((size * size * channels,) * 2)
    count = 0
    # Patches are size² times as large as images.
    per_image = (height - size + 1) * (width - size + 1) * len(moments)
    at_once = min(20, max(1, _PATCH_VALUES // per_image))
    for chunk in np.array_split(images, -(-len(images) // at_once)):
        windows = np.lib.stride_tricks.sliding_window_view(chunk, (size, size), axis=(1, 2))
        patches = np.ascontiguousarray(windows.transpose(0, 1, 2, 4, 5, 3)).reshape(-1, len(moments))
        moments += patches.T.astype(np.float64) @ patches
        count += len(patches)
    variances, axes = np.linalg.eigh(moments / count)
    kept = np.argsort(-variances, kind="stable")[: filters // 2]
    kernels = axes[:, kept] / np.sqrt(variances[kept] + RIDGE)
    kernels *= np.sign(kernels[np.argmax(np.abs(kernels), axis=0), np.arange(len(kept))])  # a sign is arbitrary
    kernels = kernels.reshape(size, size, channels, -1)
    return np.concatenate([kernels, -kernels], axis=-1).astype(np.float32)
