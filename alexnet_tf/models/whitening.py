"""A first convolution that whitens patches: its kernels are computed from training images, not learned."""

from typing import Any

import numpy as np

from alexnet_tf.errors import ConfigError, DataError
from alexnet_tf.models.alexnet_bn import AlexNetBN

NUM_IMAGES = 1000  # of the training split; twelve to a hundred axes need no more
_PATCH_VALUES = 20_000_000  # in memory at once, in float32 and in float64
RIDGE = 5e-4  # added to a variance, so that axes along which little varies are not blown up
_NOTHING = 1e-6  # of the largest variance: what is left of it where nothing varies, as the colours of grey images


def whitening_images(num_examples: int) -> np.ndarray:
    """Return the positions of the images that whitening looks at: at most `NUM_IMAGES`, evenly spread, int64."""
    return np.unique(np.linspace(0, num_examples - 1, min(NUM_IMAGES, num_examples)).astype(np.int64))


def whiten(model: AlexNetBN, images) -> None:
    """Give conv1 of a network with `conv1="whitening"` the kernels that whiten patches of training images.

    Args:
        model: A built network, whose conv1 has random kernels until then.
        images: (N, crop, crop, 3) float32, as the network sees them; a thousand are enough, all are held in memory.

    Returns:
        Nothing; the network is changed.

    Raises:
        ConfigError: It is another kind of network, or one that learns its conv1.
        DataError: The images are of another shape or type, or hold values that are not finite.

    Example:
        >>> import numpy as np
        >>> import alexnet_tf as an
        >>> spec = an.AlexNetBNSpec(filters=[12, 8, 8, 8, 8], kernel_sizes=[2, 3, 3, 3, 3], conv1="whitening")
        >>> model = an.build(spec, crop_size=32, num_classes=5)
        >>> an.whiten(model, np.random.default_rng(0).normal(size=(50, 32, 32, 3)).astype("float32"))
        >>> tuple(model.convs[0].kernel.shape)
        (2, 2, 3, 12)
    """
    conv1 = model.spec.conv1 if isinstance(model, AlexNetBN) else type(model).__name__
    if conv1 != "whitening":
        raise ConfigError(
            'model: expected a network whose conv1 is whitening, as build(AlexNetBNSpec(conv1="whitening"), ...) makes '
            f"it, got {conv1}"
        )
    images = _images(images, model.crop_size)
    size, filters = model.spec.kernel_sizes[0], model.spec.filters[0]
    model.convs[0].set_weights([whitening_kernel(images, size=size, filters=filters)])


def _images(images: Any, crop_size: int) -> np.ndarray:
    """Return images as an array, if they are what the network sees."""
    images = np.asarray(images)
    if images.ndim != 4 or len(images) == 0 or images.shape[1:] != (crop_size, crop_size, 3):
        raise DataError(f"images: expected shape (N, {crop_size}, {crop_size}, 3), N at least 1, got {images.shape}")
    if not np.issubdtype(images.dtype, np.floating):
        raise DataError(
            "images: expected float32, minus the mean of the training images and divided as in the training, got "
            f"{images.dtype}"
        )
    if not np.isfinite(images).all():
        raise DataError("images: expected finite values, found NaN or infinity; leave such images out")
    return images


def whitening_kernel(images: np.ndarray, *, size: int, filters: int) -> np.ndarray:
    """Return kernels along the principal axes of the images' patches, each scaled to unit mean square.

    Every axis comes with both signs, since a rectifier follows; axes of large variance come first, and one along which
    nothing varies gives a kernel of zeros. The second moment is taken about zero, for images that are centred already,
    as in Jordan's airbench (2024).

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
    # Such axes are any basis of their space, and in bfloat16 their maps would be rounding.
    kernels[:, variances[kept] <= _NOTHING * variances.max()] = 0.0
    kernels *= np.sign(kernels[np.argmax(np.abs(kernels), axis=0), np.arange(len(kept))])  # a sign is arbitrary
    kernels = kernels.reshape(size, size, channels, -1)
    return np.concatenate([kernels, -kernels], axis=-1).astype(np.float32)
