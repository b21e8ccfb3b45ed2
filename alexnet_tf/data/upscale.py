"""Enlarging by a whole factor as one small matrix, so that sums over large images can be had from small ones.

The rule is bilinear with half-pixel centres and the edge repeated: output position i looks at input position
(i + 1/2)/f - 1/2. It is separable, so an image X becomes A X Aᵀ, and it equals
`tf.image.resize(method="bilinear")`. Every weight is a whole multiple of 1/(2f): 2f·A holds integers.
"""

import numpy as np


def integer_upscale_matrix(stored: int, factor: int) -> np.ndarray:
    """Return 2f·A, the upscaling matrix times its common denominator; with a factor of 1, A itself.

    Args:
        stored: Side of the small image, in pixels.
        factor: f, how many times longer the large side is.

    Returns:
        (stored·factor, stored) int64, rows sum to 2f (to 1 with a factor of 1).

    Example:
        >>> integer_upscale_matrix(2, 2)
        array([[4, 0],
               [3, 1],
               [1, 3],
               [0, 4]])
    """
    if factor == 1:
        return np.eye(stored, dtype=np.int64)
    size, denominator = stored * factor, denominator_of(factor)
    position = 2 * np.arange(size) + 1 - factor  # of each output pixel, in units of 1/(2f) input pixels
    left, weight = np.divmod(position, denominator)
    matrix = np.zeros((size, stored), np.int64)
    rows = np.arange(size)
    np.add.at(matrix, (rows, np.clip(left, 0, stored - 1)), denominator - weight)
    np.add.at(matrix, (rows, np.clip(left + 1, 0, stored - 1)), weight)
    return matrix


def denominator_of(factor: int) -> int:
    """Return the number by which `integer_upscale_matrix` is too large: 2f, or 1 when nothing is enlarged."""
    return 2 * factor if factor > 1 else 1


def upscale_matrix(stored: int, factor: int) -> np.ndarray:
    """Return A, by which an image X of `stored` × `stored` pixels becomes A X Aᵀ.

    Returns:
        (stored·factor, stored) float64, rows sum to 1.
    """
    return integer_upscale_matrix(stored, factor) / denominator_of(factor)


def whole_factor(size: int, stored_size: int) -> int:
    """Return size / stored_size.

    Raises:
        ValueError: When it is not a whole number of at least 1.
    """
    factor, rest = divmod(size, stored_size)
    if rest or factor < 1:
        expected = f"a whole multiple of stored_size = {stored_size}"
        raise ValueError(f"size: expected {expected}, found {size}; for example {max(factor, 1) * stored_size}.")
    return factor
