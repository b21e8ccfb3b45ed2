"""Exact first and second moments of the pixels of many images, as integers.

Integer sums do not depend on order or grouping, so any sharding on any runner ends in the same bits; floats
are derived once, at the end (`alexnet_tf.data.colour_statistics`). Moments of enlarged images are had from the small
ones: with A the upscaling matrix and M = AᵀA,  Σ (A X Aᵀ)·(A Y Aᵀ) = Σ X·(M Y M).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from alexnet_tf.data.pixel_codec import CHANNELS
from alexnet_tf.data.upscale import denominator_of, integer_upscale_matrix

_PIXEL_MAX = 255
_FLOAT_EXACT = 1 << 53  # every integer up to here is a float64
_INT64_MAX = (1 << 63) - 1
_FLOAT32_ROWS = 256  # products of bytes of which float32 holds any sum: 256 · 255² is below 2²⁴
_PIXELS_A_ROW = 256  # so that a 256 px image is _FLOAT32_ROWS whole rows, and einsum has long ones to sum
_BLOCK_PIXELS = 1 << 16  # at a time, where images are small: what the calls cost is then little
_SUM_IMAGES = 257  # bytes of which uint16 holds the sum: 257 · 255 is 2¹⁶ − 1
_FLOAT_IMAGES = 16  # enlarged at a time: what the memory holds as floats, not a matter of exactness


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
    def of(cls, images: Iterable[np.ndarray], stored_size: int, factor: int) -> "Moments":
        """Return the moments of images that come one by one; no more than a few are held at a time.

        Args:
            images: Each (S, S, 3) uint8.
            stored_size: S.
            factor: A whole number of at least 1.

        Raises:
            ValueError: When a factor is so large that float64 would no longer be exact (32 for 8 pixels).
        """
        at_once = min(_SUM_IMAGES, max(1, _BLOCK_PIXELS // stored_size**2))
        gram = _Gram() if factor == 1 else _EnlargedGram(stored_size, factor)
        num_images = 0
        total = np.zeros((stored_size, stored_size, CHANNELS), np.int64)
        narrow, in_narrow = np.zeros(total.shape, np.uint16), 0  # the narrower, the quicker
        images = iter(images)
        while block := list(islice(images, at_once)):
            gram.add(block)
            if in_narrow + len(block) > _SUM_IMAGES:
                total += narrow
                narrow[:], in_narrow = 0, 0
            for image in block:
                narrow += image
            in_narrow += len(block)
            num_images += len(block)
        return cls(stored_size, factor, num_images, total + narrow, tuple(map(tuple, gram.total().tolist())))

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


class _Gram:
    """Σ x_c · x_d over the pixels of images.

    As the values of a pixel follow each other, every product wanted is one of a value and itself, the next, or the
    next but one. They are summed column by column, so that float32 is exact, in rows of many pixels, so that the
    processor multiplies many at once; BLAS is no quicker.
    """

    def __init__(self):
        self._columns = _PIXELS_A_ROW * CHANNELS
        room = np.zeros(_FLOAT32_ROWS * self._columns + CHANNELS - 1, np.float32)  # once: fresh memory is slow
        self._floats = room[: 1 - CHANNELS].reshape(_FLOAT32_ROWS, self._columns)
        self._neighbours = sliding_window_view(room, CHANNELS).reshape(_FLOAT32_ROWS, self._columns, CHANNELS)
        self._products = np.zeros((CHANNELS, self._columns), np.int64)
        self._of_rest = np.zeros((CHANNELS, CHANNELS), np.int64)

    def add(self, images: list[np.ndarray]) -> None:
        """Add images of (S, S, 3) uint8."""
        pixels = (images[0] if len(images) == 1 else np.stack(images)).reshape(-1, CHANNELS)
        whole = len(pixels) // _PIXELS_A_ROW
        rows, rest = pixels[: whole * _PIXELS_A_ROW].reshape(whole, self._columns), pixels[whole * _PIXELS_A_ROW :]
        for start in range(0, whole, _FLOAT32_ROWS):
            chunk = rows[start : start + _FLOAT32_ROWS]
            floats, neighbours = self._floats[: len(chunk)], self._neighbours[: len(chunk)]
            floats[:] = chunk
            self._products += np.einsum("kp,kps->sp", floats, neighbours).astype(np.int64)
        if len(rest):
            self._of_rest += rest.astype(np.int64).T @ rest.astype(np.int64)

    def total(self) -> np.ndarray:
        """Return the sums as (3, 3) Python integers."""
        products = self._products.astype(object).reshape(CHANNELS, _PIXELS_A_ROW, CHANNELS)
        by_distance = products.sum(axis=1)  # [s, c]: of c and c + s
        upper = np.array([[by_distance[d - c, c] if d >= c else 0 for d in range(CHANNELS)] for c in range(CHANNELS)])
        return upper + np.triu(upper, 1).T + self._of_rest.astype(object)


class _EnlargedGram:
    """Σ X_c · (M X_d M) over images."""

    def __init__(self, stored_size: int, factor: int):
        matrix = integer_upscale_matrix(stored_size, factor)
        self._squared = (matrix.T @ matrix).astype(np.float64)
        # Every partial sum is an integer of at most this, whatever the order in which BLAS adds.
        bound = int(self._squared.sum(axis=1).max()) ** 2 * _PIXEL_MAX**2 * stored_size**2
        if bound > _FLOAT_EXACT:
            found = f"factor: {factor} times {stored_size} pixels is too much for exact sums"
            raise ValueError(f"{found}; use a smaller one.")
        self._at_once = min(_FLOAT_IMAGES, _FLOAT_EXACT // bound)
        self._total = np.zeros((CHANNELS, CHANNELS), object)

    def add(self, images: list[np.ndarray]) -> None:
        """Add images of (S, S, 3) uint8."""
        for start in range(0, len(images), self._at_once):
            block = np.stack(images[start : start + self._at_once])
            small = np.moveaxis(block, -1, 0).astype(np.float64)  # (3, N, S, S)
            planes, enlarged = small.reshape(CHANNELS, -1), self._squared @ small @ self._squared
            self._total += (planes @ enlarged.reshape(CHANNELS, -1).T).astype(np.int64).astype(object)

    def total(self) -> np.ndarray:
        """Return the sums as (3, 3) Python integers."""
        return self._total
