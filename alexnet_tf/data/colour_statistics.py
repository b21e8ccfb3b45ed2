"""Mean image, channel mean and the principal components of colour of a training split (§2, §4.1).

The integers of `alexnet_tf.data.moments` are kept and are the truth; the floats here are derived from them by
operations that IEEE 754 rounds correctly (Python's exact fractions, then + - × ÷ √ in a fixed order), and not
by LAPACK, whose last bits and signs differ between processors. So they are equal on every machine, bit by
bit.
"""

import json
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import numpy as np

from alexnet_tf.data.moments import Moments
from alexnet_tf.data.npy_file import load_npy, save_npy
from alexnet_tf.data.pixel_codec import CHANNELS
from alexnet_tf.errors import DataError
from alexnet_tf.whole_file import write_json

_SWEEPS = 30  # cyclic Jacobi converges quadratically: six are plenty for 3 × 3


@dataclass(frozen=True, eq=False)
class ColourStatistics:
    """What training subtracts and what its colour noise is made of, over images as training sees them.

    Attributes:
        size: Side of the images, in pixels.
        num_images: How many they were.
        mean_image: (size, size, 3) float32, 0..255.
        channel_mean: (3,) float64, 0..255.
        eigenvalues: (3,) float64, of the covariance of R, G, B over all pixels, in squared grey levels,
            descending. The 2012 code takes their roots.
        eigenvectors: (3, 3) float64; the columns are the unit eigenvectors, the largest component of each
            positive.
    """

    size: int
    num_images: int
    mean_image: np.ndarray
    channel_mean: np.ndarray
    eigenvalues: np.ndarray
    eigenvectors: np.ndarray

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save_statistics` wrote.

        Raises:
            DataError: When a file is missing or not readable, is something else, or a value is not finite.
        """
        try:
            numbers = json.loads((folder / "statistics.json").read_text(encoding="utf-8"))
            size, num_images = int(numbers["size"]), int(numbers["num_images"])
            mean_image = load_npy(folder / "mean_image.npy")
            arrays = {
                name: np.array(numbers[name], np.float64) for name in ("channel_mean", "eigenvalues", "eigenvectors")
            }
            if mean_image.shape != (size, size, CHANNELS):
                raise ValueError(f"a mean image of shape {mean_image.shape} for images of {size} pixels")
            if not all(np.isfinite(each).all() for each in (mean_image, *arrays.values())):
                raise ValueError("values that are not finite")
        except (OSError, ValueError, KeyError, TypeError) as error:
            found = f"none of the name {error}" if isinstance(error, KeyError) else error
            message = f"{folder}: expected colour statistics, found {found}; run the stage statistics."
            raise DataError(message) from error
        return cls(size=size, num_images=num_images, mean_image=mean_image, **arrays)


def save_statistics(folder: Path, moments: Moments) -> None:
    """Write `statistics.json` (integers and what derives from them), `mean_image.npy` and `sum_image.npy`.

    Args:
        folder: Exists.
        moments: Of at least one image.
    """
    write_json(folder / "statistics.json", derive(moments))
    save_npy(folder / "mean_image.npy", mean_image(moments))
    save_npy(folder / "sum_image.npy", moments.sum_image)


def derive(moments: Moments) -> dict[str, Any]:
    """Return the contents of `statistics.json`.

    `sum` / (`denominator` · `num_pixels`) is the channel mean, `gram` / (`denominator`² · `num_pixels`) the
    mean of products; the covariance divides by `num_pixels`, not by one less.
    """
    num_pixels, total, scale = moments.num_pixels, moments.channel_sum, moments.denominator
    covariance = [
        [
            float(Fraction(num_pixels * moments.gram[i][j] - total[i] * total[j], (scale * num_pixels) ** 2))
            for j in range(CHANNELS)
        ]
        for i in range(CHANNELS)
    ]
    eigenvalues, eigenvectors = eigen_symmetric(covariance)
    return {
        "size": moments.size,
        "num_images": moments.num_images,
        "num_pixels": num_pixels,
        "sum": list(total),
        "gram": [list(row) for row in moments.gram],
        "denominator": scale,
        "channel_mean": [float(Fraction(value, scale * num_pixels)) for value in total],
        "covariance": covariance,
        "eigenvalues": eigenvalues,
        "eigenvectors": eigenvectors,
    }


def mean_image(moments: Moments) -> np.ndarray:
    """Return the mean of the enlarged images: (size, size, 3) float32, 0..255."""
    total = moments.enlarged_sum_image.astype(np.float64)  # exact below 2⁵³, and rounded alike everywhere above
    return (total / (moments.denominator * moments.num_images)).astype(np.float32)


def eigen_symmetric(matrix: list[list[float]]) -> tuple[list[float], list[list[float]]]:
    """Decompose a positive semidefinite matrix by cyclic Jacobi rotations.

    Only + - × ÷ √ of Python floats in a fixed order, so that the result is the same on every machine.

    Args:
        matrix: n × n, symmetric.

    Returns:
        n eigenvalues, descending, rounding below 0 cut off; n × n eigenvectors, unit columns in the same
        order, the component of largest magnitude (the first of equals) positive.

    References:
        Golub and Van Loan, Matrix Computations, section 8.5 ("Jacobi Methods").
    """
    size = len(matrix)
    a = [list(row) for row in matrix]
    v = [[float(i == j) for j in range(size)] for i in range(size)]
    for _ in range(_SWEEPS):
        for p in range(size - 1):
            for q in range(p + 1, size):
                if a[p][q] == 0.0:
                    continue
                half = (a[q][q] - a[p][p]) / (2.0 * a[p][q])
                tangent = math.copysign(1.0, half) / (abs(half) + math.sqrt(half * half + 1.0))
                cosine = 1.0 / math.sqrt(tangent * tangent + 1.0)
                sine = tangent * cosine
                for row in a, v:  # columns p and q of both
                    for k in range(size):
                        x, y = row[k][p], row[k][q]
                        row[k][p], row[k][q] = cosine * x - sine * y, sine * x + cosine * y
                for k in range(size):
                    x, y = a[p][k], a[q][k]
                    a[p][k], a[q][k] = cosine * x - sine * y, sine * x + cosine * y
                a[p][q] = a[q][p] = 0.0
    order = sorted(range(size), key=lambda i: -a[i][i])
    columns = []
    for i in order:
        column = [v[k][i] for k in range(size)]
        largest = max(range(size), key=lambda k: abs(column[k]))
        columns.append([math.copysign(1.0, column[largest]) * x for x in column])
    return [max(a[i][i], 0.0) for i in order], [list(row) for row in zip(*columns, strict=True)]
