"""Whether a model that says 70 % is right on 70 % of such images: reliability and its mean error."""

import math
from dataclasses import dataclass

import numpy as np

from alexnet_tf.metrics.top_k import Predictions

NUM_BINS = 15  # as in Guo et al.


@dataclass(frozen=True)
class Bin:
    """Images whose highest probability is in (low, high].

    Attributes:
        low: Lower bound, excluded.
        high: Upper bound, included.
        num_examples: Images, at least 1.
        confidence: Mean of their highest probabilities.
        accuracy: Share on which that class is the label, ties in parts as in `top_k`.
    """

    low: float
    high: float
    num_examples: int
    confidence: float
    accuracy: float


def reliability(predictions: Predictions) -> list[Bin]:
    """Sort the images into 15 bins of equal width by their highest probability; empty bins are left out."""
    confidence = predictions.probabilities.astype(np.float64)
    numbers = np.clip(np.ceil(confidence * NUM_BINS).astype(int) - 1, 0, NUM_BINS - 1)
    bins = []
    for number in range(NUM_BINS):
        members = numbers == number
        if num := int(np.count_nonzero(members)):
            bins.append(
                Bin(
                    low=number / NUM_BINS,
                    high=(number + 1) / NUM_BINS,
                    num_examples=num,
                    confidence=math.fsum(confidence[members]) / num,
                    accuracy=math.fsum(predictions.scores[1][members]) / num,
                )
            )
    return bins


def calibration_error(bins: list[Bin]) -> float:
    """Return the expected calibration error: Σ (n_b / N) |accuracy_b - confidence_b|, a fraction in [0, 1].

    References:
        Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", 2017, equation 3.
    """
    total = sum(each.num_examples for each in bins)
    return math.fsum(each.num_examples * abs(each.accuracy - each.confidence) for each in bins) / total
