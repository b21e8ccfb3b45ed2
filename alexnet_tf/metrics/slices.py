"""Errors of the images that have something in common: size, shape, brightness. Where does a model fail?

The bounds are fixed, not quantiles of the data, so that the slices of two data sets mean the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from alexnet_tf.metrics.significance import wilson_interval
from alexnet_tf.metrics.top_k import CONFIDENCE, Predictions, error_of

_INFINITY = float("inf")
BOUNDS = {
    "short side, px": (0, 48, 96, 192, 384, 768, _INFINITY),
    "width / height": (0, 0.7, 0.95, 1.05, 1.4, _INFINITY),
    "brightness, 0..255": (0, 64, 96, 128, 160, 192, _INFINITY),
}


@dataclass(frozen=True)
class Slice:
    """The images whose `quantity` is in [low, high), and the ten-crop errors on them.

    Attributes:
        quantity: A key of `BOUNDS`.
        low: Lower bound, included.
        high: Upper bound, excluded; infinity for the last.
        num_examples: Images in the slice, at least 1.
        errors: k -> top-k error, a fraction.
        interval: Of the top-1 error, Wilson's at 95 %.
    """

    quantity: str
    low: float
    high: float
    num_examples: int
    errors: Mapping[int, float]
    interval: tuple[float, float]


def quantities(*, widths: np.ndarray, heights: np.ndarray, brightness: np.ndarray) -> dict[str, np.ndarray]:
    """Return what `BOUNDS` cuts, (N,) each.

    Args:
        widths: (N,) of the original images, pixels.
        heights: (N,) likewise.
        brightness: (N,) mean luma, 0..255.
    """
    values = (np.minimum(widths, heights), widths / heights, brightness)
    return dict(zip(BOUNDS, values, strict=True))


def slices(predictions: Predictions, values: Mapping[str, np.ndarray]) -> list[Slice]:
    """Cut the images by each quantity; an empty slice is left out, and a quantity that puts all images in one.

    Args:
        predictions: Of N images, ten crops.
        values: As `quantities` returns them.
    """
    found = []
    for quantity, value in values.items():
        bounds = BOUNDS[quantity]
        members = [(value >= low) & (value < high) for low, high in pairwise(bounds)]
        if sum(member.any() for member in members) < 2:
            continue
        for (low, high), member in zip(pairwise(bounds), members, strict=True):
            if num := int(np.count_nonzero(member)):
                errors = {k: error_of(scores[member]) for k, scores in predictions.scores.items()}
                interval = wilson_interval(errors[1], num, confidence=CONFIDENCE)
                found.append(Slice(quantity, low, high, num, errors, interval))
    return found
