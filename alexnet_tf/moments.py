"""Exact first and second moments of the pixels of many images, as integers.

Integer sums do not depend on order or grouping, so any sharding on any runner ends in the same bits; floats
are derived once, at the end (`alexnet_tf.statistics`). Moments of enlarged images are had from the small
ones: with A the upscaling matrix and M = AᵀA,  Σ (A X Aᵀ)·(A Y Aᵀ) = Σ X·(M Y M).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from alexnet_tf.upscale import denominator_of, integer_upscale_matrix

CHANNELS = 3
_PIXEL_MAX = 255
_FLOAT_EXACT = 1 << 53  # every integer up to here is a float64
_INT64_MAX = (1 << 63) - 1
_FLOAT32_ROWS = 256  # products of bytes of which float32 holds any sum: 256 · 255² is below 2²⁴
_PIXELS_A_ROW = 4  # makes matrices that BLAS is quick with: 256 × 12
_CHUNK = 64  # of those matrices at a time: what a core's cache holds
_BLOCK = 16  # images at a time: what the memory holds as floats, not a matter of exactness


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over images that are enlarged by a whole factor; the unit is integers over a common denominator.

    Attributes:
        stored_size: Side of the small images, S.
        factor: How many times longer the side of the images summed over is.
        num_images: N.
        sum_image: (S, S, 3) int64, sum of the small images.
        gram: 3 × 3 Python integers: Σ over all enlarged pixels of value_c · value_d, times `denominator`².
    """

    stored_size: int
    factor: int
    num_images: int
    sum_image: np.ndarray
    gram: tuple[tuple[int, ...], ...]

    @classmethod
    def zero(cls, stored_size: int, factor: int) -> "Moments":
        """Return the moments of no image."""
        sum_image = np.zeros((stored_size, stored_size, CHANNELS), np.int64)
        return cls(stored_size, factor, 0, sum_image, ((0,) * CHANNELS,) * CHANNELS)

    @classmethod
    def of(cls, images: np.ndarray, factor: int) -> "Moments":
        """Return the moments of a batch.

        Args:
            images: (N, S, S, 3) uint8.
            factor: A whole number of at least 1.

        Raises:
            ValueError: When a factor is so large that float64 would no longer be exact (32 for 8 pixels).
        """
        gram = _gram(images.reshape(-1, CHANNELS)) if factor == 1 else _enlarged_gram(images, factor)
        narrow = np.min_scalar_type(len(images) * _PIXEL_MAX)  # the narrower, the quicker
        sum_image = images.sum(axis=0, dtype=narrow).astype(np.int64)
        return cls(images.shape[1], factor, len(images), sum_image, tuple(map(tuple, gram.tolist())))

    def __add__(self, other: "Moments") -> "Moments":
        if (self.stored_size, self.factor) != (other.stored_size, other.factor):
            raise ValueError(f"Moments of {self.stored_size} x {self.factor} and {other.stored_size} x {other.factor}.")
        num_images = self.num_images + other.num_images
        if num_images * _PIXEL_MAX > _INT64_MAX:
            raise ValueError(f"{num_images} images are too many for sums in int64.")
        gram = np.array(self.gram, object) + np.array(other.gram, object)
        sum_image = self.sum_image + other.sum_image
        return Moments(self.stored_size, self.factor, num_images, sum_image, tuple(map(tuple, gram.tolist())))

    @property
    def size(self) -> int:
        """Side of the enlarged images, in pixels."""
        return self.stored_size * self.factor

    @property
    def num_pixels(self) -> int:
        """Pixels of all enlarged images together."""
        return self.num_images * self.size**2

    @property
    def denominator(self) -> int:
        """What `channel_sum` is too large by; `gram` is by its square."""
        return denominator_of(self.factor) ** 2

    @cached_property
    def enlarged_sum_image(self) -> np.ndarray:
        """Sum of the enlarged images, times `denominator`: (size, size, 3) int64."""
        if self.num_images * _PIXEL_MAX * self.denominator > _INT64_MAX:
            raise ValueError(f"{self.num_images} images are too many for sums in int64.")
        if self.factor == 1:
            return self.sum_image
        matrix = integer_upscale_matrix(self.stored_size, self.factor)
        return np.einsum("ai,ijc,bj->abc", matrix, self.sum_image, matrix, optimize=True)

    @cached_property
    def channel_sum(self) -> tuple[int, ...]:
        """Sum over all enlarged pixels of each channel, times `denominator`: 3 Python integers."""
        return tuple(sum(self.enlarged_sum_image[..., c].ravel().tolist()) for c in range(CHANNELS))


def _gram(pixels: np.ndarray) -> np.ndarray:
    """Return Σ x_c · x_d over (P, 3) uint8 pixels as (3, 3) Python integers.

    BLAS multiplies floats only, so the sums are cut where float32 is still exact. Of each matrix of 256 rows of four
    pixels it makes the products of all twelve columns; those of equal pixels are what is wanted.
    """
    columns = _PIXELS_A_ROW * CHANNELS
    whole = len(pixels) // (_FLOAT32_ROWS * _PIXELS_A_ROW)
    matrices = pixels[: whole * _FLOAT32_ROWS * _PIXELS_A_ROW].reshape(whole, _FLOAT32_ROWS, columns)
    products = np.zeros((columns, columns), np.int64)
    room = np.empty((_CHUNK, _FLOAT32_ROWS, columns), np.float32)  # once: fresh memory costs more than the products
    for start in range(0, whole, _CHUNK):
        chunk = matrices[start : start + _CHUNK]
        floats = room[: len(chunk)]
        floats[:] = chunk
        products += (floats.transpose(0, 2, 1) @ floats).sum(axis=0, dtype=np.int64)
    left = pixels[whole * _FLOAT32_ROWS * _PIXELS_A_ROW :].astype(np.int64)
    by_pixel = products.reshape(_PIXELS_A_ROW, CHANNELS, _PIXELS_A_ROW, CHANNELS)
    return (np.einsum("acad->cd", by_pixel) + left.T @ left).astype(object)


def _enlarged_gram(images: np.ndarray, factor: int) -> np.ndarray:
    """Return Σ X_c · (M X_d M) over (N, S, S, 3) uint8 images as (3, 3) Python integers."""
    stored_size = images.shape[1]
    matrix = integer_upscale_matrix(stored_size, factor)
    squared = (matrix.T @ matrix).astype(np.float64)
    # Every partial sum is an integer of at most this, whatever the order in which BLAS adds.
    bound = int(squared.sum(axis=1).max()) ** 2 * _PIXEL_MAX**2 * stored_size**2
    if bound > _FLOAT_EXACT:
        raise ValueError(f"factor: {factor} times {stored_size} pixels is too much for exact sums; use a smaller one.")
    block = min(_BLOCK, _FLOAT_EXACT // bound)
    gram = np.zeros((CHANNELS, CHANNELS), object)
    for start in range(0, len(images), block):
        small = np.moveaxis(images[start : start + block], -1, 0).astype(np.float64)  # (3, N, S, S)
        planes, enlarged = small.reshape(CHANNELS, -1), (squared @ small @ squared).reshape(CHANNELS, -1)
        gram += (planes @ enlarged.T).astype(np.int64).astype(object)
    return gram
