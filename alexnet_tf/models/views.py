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
        ValueError: When the mean is not finite.
    """

    spec: InputSpec
    stored_size: int
    size: int
    mean: np.ndarray

    def __post_init__(self) -> None:
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

    def center(self, enlarged):
        """Return the centre crops of (N, size, size, 3), ready for the network: (N, crop, crop, 3) float32."""
        start = (self.size - self.crop_size) // 2
        return self.centred(self._window(enlarged, start, start))

    def ten(self, enlarged):
        """Return the ten views of §4.1: four corners and the centre, then their mirrors.

        Args:
            enlarged: (N, size, size, 3), 0..255.

        Returns:
            (N, 10, crop, crop, 3) float32, ready for the network.
        """
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
        crops = self._random_crop(images, placing, augmentation)
        if augmentation.flip == "random":
            mirrored = placing.uniform(FLIP) < 0.5
        if augmentation.flip != "none":
            crops = tf.where(mirrored[:, None, None, None], tf.reverse(crops, axis=[2]), crops)
        if augmentation.colour_noise == "none":
            return self.centred(crops)
        strength = tf.cast(colour_noise_on, tf.float32)
        shift = tf.matmul(draw.normal(COLOUR, (3,)), colour_axes, transpose_b=True) * strength
        # convdata.py divides the noisy image by 1 + color_noise, which the paper does not mention.
        contrast = augmentation.colour_noise_scale if augmentation.colour_noise == "sqrt_eigenvalue" else 0.0
        return self.centred(crops, shift[:, None, None, :], 1.0 + contrast * strength)

    def centred(self, pixels, shift=0.0, contrast=1.0):
        """Return (pixels - mean + shift) / contrast / divide_by, float32, of 0..255 `pixels` (..., crop, crop, 3)."""
        return (tf.cast(pixels, tf.float32) - self.mean + shift) / (contrast * self.spec.divide_by)

    def _window(self, images, row: int, column: int):
        return images[:, row : row + self.crop_size, column : column + self.crop_size]

    def _random_crop(self, images, draw: RandomStreams, augmentation: AugmentationSpec):
        if augmentation.crop == "center":
            start = (self.size - self.crop_size) // 2
            return self._window(self.enlarged(images), start, start)
        border = augmentation.padding
        positions = self.size + 2 * border - self.crop_size + 1  # 33 for 224 in 256
        row, column = (tf.cast(draw.uniform(stream) * positions, tf.int32) for stream in (ROW_OFFSET, COLUMN_OFFSET))
        if self.size == self.stored_size:
            padded = (
                tf.pad(images, [[0, 0], [border, border], [border, border], [0, 0]], "REFLECT") if border else images
            )
            return _crop(padded, row, column, self.crop_size)
        matrix = upscale_matrix(self.stored_size, self.size // self.stored_size).astype(np.float32)
        matrix = np.pad(matrix, ((border, border), (0, 0)), "reflect")
        window = tf.range(self.crop_size)
        rows, columns = (tf.gather(matrix, offset[:, None] + window) for offset in (row, column))
        enlarged = tf.einsum("nip,npqc->niqc", rows, tf.cast(images, tf.float32))
        return tf.einsum("niqc,njq->nijc", enlarged, columns)


def _crop(images, row, column, size: int):
    """Cut one (size, size) window out of each image, at its own place."""

    def window(arguments):
        image, top, left = arguments
        return tf.slice(image, tf.stack([top, left, 0]), (size, size, image.shape[-1]))

    return tf.map_fn(window, (images, row, column), fn_output_signature=images.dtype, parallel_iterations=32)


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
