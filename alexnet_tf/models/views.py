"""Views of images: the crops, mirrors and colour noise of §4.1, and the ten views of its test.

Stored images are uint8. Those stored smaller than they are trained at are enlarged here, by a whole number and
bilinearly, with the crop taken in the same pass: a crop is a window of rows of the enlarging matrix on either side.
"""

from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from alexnet_tf.data.upscale import upscale_matrix
from alexnet_tf.models.specs import AugmentationSpec, InputSpec
from alexnet_tf.random_streams import COLOUR, COLUMN_OFFSET, FLIP, ROW_OFFSET, RandomStreams

CHUNK = 32  # images that share a crop in convdata_jpeg.py


@dataclass(frozen=True)
class Views:
    """Turns stored images into what the network sees.

    Attributes:
        spec: Crop size, kind of mean, divisor.
        stored_size: Side of the stored images in pixels.
        size: Side that they are enlarged to, a whole multiple of `stored_size`.
        mean: What is subtracted, 0..255: float32 (crop, crop, 3) or (3,).

    Raises:
        ValueError: When the mean has another shape, or is not finite.
    """

    spec: InputSpec
    stored_size: int
    size: int
    mean: np.ndarray

    def __post_init__(self) -> None:
        if self.mean.shape not in ((3,), (self.crop_size, self.crop_size, 3)):
            raise ValueError(f"the mean has the shape {self.mean.shape}, the crop {self.crop_size} pixels a side")
        if not np.isfinite(self.mean).all():
            raise ValueError("the mean that is subtracted holds values that are not finite")

    @classmethod
    def create(cls, spec: InputSpec, *, stored_size: int, size: int, mean_image: np.ndarray, channel_mean) -> "Views":
        """Take the mean that `spec` asks for from the statistics of the training split.

        Args:
            spec: Crop size, kind of mean, divisor.
            stored_size: Side of the stored images in pixels.
            size: Side of `mean_image` in pixels.
            mean_image: float32 (size, size, 3), 0..255.
            channel_mean: Three floats, 0..255.

        Raises:
            ValueError: When the crop is larger than the image, or the border that is mirrored is.
        """
        if spec.crop_size > size:
            raise ValueError(f"input.crop_size must be at most the image size {size}, got {spec.crop_size}")
        if spec.test_border >= size:
            raise ValueError(f"input.test_border must be less than the image size {size}, got {spec.test_border}")
        if spec.mean == "channel":
            mean = np.asarray(channel_mean, np.float32)
        else:  # the centre crop, whatever the crop's position (convdata_jpeg.py: data_mean_crop)
            start = (size - spec.crop_size) // 2
            mean = np.asarray(mean_image, np.float32)[start : start + spec.crop_size, start : start + spec.crop_size]
        return cls(spec, stored_size, size, mean)

    @property
    def crop_size(self) -> int:
        """Side of a view in pixels."""
        return self.spec.crop_size

    def enlarged(self, images):
        """Return (N, stored, stored, 3) uint8 as (N, size, size, 3) float32, 0..255, bilinear where larger."""
        images = tf.cast(images, tf.float32)
        if self.size == self.stored_size:
            return images
        matrix = upscale_matrix(self.stored_size, self.size // self.stored_size).astype(np.float32)
        return tf.einsum("niqc,jq->nijc", tf.einsum("ip,npqc->niqc", matrix, images), matrix)

    def center_crop(self, images):
        """Return the centre crops of stored images (N, stored, stored, 3): (N, crop, crop, 3) float32, 0..255."""
        start = (self.size - self.crop_size) // 2
        return self._window(self.enlarged(images), start, start)

    def center(self, images):
        """Return the centre crops of stored images, ready for the network: (N, crop, crop, 3) float32."""
        return self.centred(self.center_crop(images))

    def ten(self, images):
        """Return the ten views of §4.1: four corners and the centre, then their mirrors.

        Args:
            images: (N, stored, stored, 3) uint8.

        Returns:
            (N, 10, crop, crop, 3) float32, ready for the network.
        """
        enlarged = self.enlarged(images)
        border = self.spec.test_border
        if border:
            enlarged = tf.pad(enlarged, [[0, 0], [border, border], [border, border], [0, 0]], "REFLECT")
        end = self.size + 2 * border - self.crop_size
        middle = border + (self.size - self.crop_size) // 2
        starts = ((0, 0), (0, end), (end, 0), (end, end), (middle, middle))
        crops = tf.stack([self._window(enlarged, row, column) for row, column in starts], axis=1)
        return self.centred(tf.concat([crops, tf.reverse(crops, axis=[3])], axis=1))

    def training(
        self, images, draw: RandomStreams, augmentation: AugmentationSpec, colour_axes, colour_noise_on, mirrored
    ):
        """Return one augmented view of each image.

        Args:
            images: (N, stored, stored, 3) uint8.
            draw: Place of the batch in the random stream.
            augmentation: What to do.
            colour_axes: float32 (3, 3): each column an eigenvector times the standard deviation of its noise.
            colour_noise_on: Boolean scalar; off late in the training (2012 code).
            mirrored: bool (N,): which images `flip: alternating` mirrors, see `Batches.mirrored`.

        Returns:
            (N, crop, crop, 3) float32, ready for the network.
        """
        placing = draw
        if augmentation.crops_per == "chunk":  # every image of a chunk takes the numbers of its first
            placing = replace(draw, rows=draw.rows // CHUNK * CHUNK)
        rows, columns = self._random_window(placing, augmentation)
        if augmentation.flip == "random":
            mirrored = placing.uniform(FLIP) < 0.5
        if augmentation.flip != "none":
            columns = tf.where(mirrored[:, None], columns[:, ::-1], columns)
        shift, contrast = tf.zeros((1, 1, 1, 3)), tf.ones(())
        if augmentation.colour_noise != "none":
            strength = tf.cast(colour_noise_on, tf.float32)
            shift = (tf.matmul(draw.normal(COLOUR, (3,)), colour_axes, transpose_b=True) * strength)[:, None, None]
            # convdata.py divides the noisy image by 1 + color_noise, which the paper does not mention.
            noise = augmentation.colour_noise_scale if augmentation.colour_noise == "sqrt_eigenvalue" else 0.0
            contrast += noise * strength
        colours = (tf.constant(self.mean), shift, contrast * self.spec.divide_by)
        if self.size == self.stored_size:
            return _cut_and_centred(images, rows, columns, *colours)
        matrix = upscale_matrix(self.stored_size, self.size // self.stored_size).astype(np.float32)
        enlarged = tf.einsum("nip,npqc->niqc", tf.gather(matrix, rows), tf.cast(images, tf.float32))
        return _centred(tf.einsum("niqc,njq->nijc", enlarged, tf.gather(matrix, columns)), *colours)

    def centred(self, pixels):
        """Return (pixels - mean) / divide_by, float32, of 0..255 `pixels` (..., crop, crop, 3)."""
        return _centred(pixels, self.mean, 0.0, self.spec.divide_by)

    def _window(self, images, row: int, column: int):
        return images[:, row : row + self.crop_size, column : column + self.crop_size]

    def _random_window(self, draw: RandomStreams, augmentation: AugmentationSpec):
        """Return which rows and columns of each image, as large as `size`, its crop has: two of int32 (N, crop)."""
        if augmentation.crop == "center":
            start = tf.fill(tf.shape(draw.rows), (self.size - self.crop_size) // 2)
            starts = (start, start)
        else:
            border = augmentation.padding
            positions = self.size + 2 * border - self.crop_size + 1  # 33 for 224 in 256
            starts = [
                tf.cast(draw.uniform(stream) * positions, tf.int32) - border for stream in (ROW_OFFSET, COLUMN_OFFSET)
            ]
        last = self.size - 1
        # Beyond the border the image is mirrored, its last line once.
        return (last - abs(last - abs(start[:, None] + tf.range(self.crop_size))) for start in starts)


def _centred(pixels, mean, shift, divisor):
    """Return (pixels - mean + shift) / divisor, float32."""
    return (tf.cast(pixels, tf.float32) - mean + shift) / divisor


@tf.function(jit_compile=True, autograph=False)
def _cut_and_centred(images, rows, columns, mean, shift, divisor):
    """Return `_centred` of one window of each image, in one pass from bytes (XLA).

    Args:
        images: (N, S, S, 3) uint8.
        rows: Those of each image that its window has, int32 (N, crop).
        columns: Likewise; backwards in a mirrored window.
        mean: float32 (crop, crop, 3) or (3,).
        shift: float32 (N, 1, 1, 3), or one for all images.
        divisor: float32 scalar.

    Returns:
        (N, crop, crop, 3) float32.
    """
    windows = tf.gather(tf.gather(images, rows, batch_dims=1), columns, axis=2, batch_dims=1)
    return _centred(windows, mean, shift, divisor)


def center_logits(model, views: Views, images):
    """Return a network's logits (N, 1, K) of the centre crops of stored images (N, stored, stored, 3) uint8."""
    return model(views.center(images), training=False)[:, None]


def colour_axes(augmentation: AugmentationSpec, eigenvalues, eigenvectors) -> np.ndarray:
    """Return the columns that α ~ N(0, 1) multiplies to give the colour noise in 0..255 grey levels.

    Args:
        augmentation: Form and scale of the noise.
        eigenvalues: The three eigenvalues λ of the RGB covariance of 0..255 pixels.
        eigenvectors: (3, 3), one eigenvector p a column.

    Returns:
        float32 (3, 3). `sqrt_eigenvalue`: 0.1·√λ·p, as the 2012 code (its statistics are √λ of 0..255 pixels);
        `eigenvalue`: §4.1's 0.1·λ·p on 0..1 pixels, whose λ is λ/255² here, times 255 to come back to grey levels.
    """
    values = np.maximum(np.asarray(eigenvalues, np.float64), 0.0)
    stddev = {"sqrt_eigenvalue": np.sqrt(values), "eigenvalue": values / 255.0, "none": 0.0 * values}
    scaled = np.asarray(eigenvectors) * stddev[augmentation.colour_noise] * augmentation.colour_noise_scale
    return scaled.astype(np.float32)
