"""How sure an error rate, or a difference of two, is: Wilson, McNemar and a paired bootstrap."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from alexnet_tf.errors import DataError

_BOOTSTRAP_SEED = 2012  # fixed: equal inputs give equal intervals, and 2,000 draws leave little of the seed


def wilson_interval(error: float, num_examples: int, *, confidence: float) -> tuple[float, float]:
    """Score interval of a share, which stays inside [0, 1] and has width at 0 and at 1.

    Args:
        error: Observed share in [0, 1]; ties that were counted fractionally make it no multiple of 1/n.
        num_examples: How many images it was observed on, at least 1.
        confidence: Probability that the interval covers, in (0, 1).

    Returns:
        Low and high end, shares in [0, 1].

    References:
        Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    if num_examples < 1:
        raise DataError(f"An interval needs at least one image; received {num_examples}.")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    shrink = 1 + z * z / num_examples
    centre = (error + z * z / (2 * num_examples)) / shrink
    half = z / shrink * math.sqrt(error * (1 - error) / num_examples + (z / (2 * num_examples)) ** 2)
    # Rounding must not push an end past the share itself, where the two meet at 0 and at 1.
    return max(0.0, min(error, centre - half)), min(1.0, max(error, centre + half))


def mcnemar_p_value(only_first: int, only_second: int) -> float:
    """Exact two-sided McNemar test: could the images that one model alone gets right fall so by a fair coin?

    Args:
        only_first: Images that only the first model gets right.
        only_second: Images that only the second model gets right.

    Returns:
        min(1, 2 P(X <= min(b, c))) for X ~ Binomial(b + c, 1/2), summed in whole numbers; 1 if b = c = 0.

    References:
        McNemar, "Note on the sampling error of the difference between correlated proportions", 1947.
    """
    num_discordant = only_first + only_second
    term = total = 1
    for i in range(min(only_first, only_second)):
        term = term * (num_discordant - i) // (i + 1)
        total += term
    return min(1.0, 2 * total / 2**num_discordant)


@dataclass(frozen=True)
class PairedDifference:
    """How a model differs from a baseline on the same images.

    Attributes:
        difference: Error of the model minus error of the baseline, in [-1, 1]; below 0 the model is better.
        low: Low end of the bootstrap interval of the difference.
        high: High end.
        only_baseline_correct: Images that only the baseline gets right.
        only_model_correct: Images that only the model gets right.
        p_value: Exact two-sided McNemar test.
    """

    difference: float
    low: float
    high: float
    only_baseline_correct: int
    only_model_correct: int
    p_value: float


def paired_difference(
    *, baseline: np.ndarray, model: np.ndarray, confidence: float, num_samples: int
) -> PairedDifference:
    """Compare two models image by image.

    Args:
        baseline: (N,) bool, whether the baseline gets image n right.
        model: (N,) bool, the same images in the same order.
        confidence: Of the percentile interval, in (0, 1).
        num_samples: Bootstrap samples, each of N images.

    Returns:
        The difference with its interval and test.

    Raises:
        DataError: The two cover different numbers of images, or none.

    References:
        Agresti and Min, "Simple improved confidence intervals for comparing matched proportions", 2005.
    """
    num_examples = len(baseline)
    if num_examples == 0 or len(model) != num_examples:
        raise DataError(
            f"A paired test needs the same images for both models; received {num_examples} and {len(model)}."
        )
    only_baseline = int(np.count_nonzero(baseline & ~model))
    only_model = int(np.count_nonzero(model & ~baseline))
    # An image contributes +1, -1 or 0 to the difference, so N draws are one multinomial draw. Half an image more in
    # each cell of the table of two by two keeps the interval of few images that differ from being too narrow; where
    # none differs, nothing tells the two models apart.
    both, more = num_examples - only_baseline - only_model, 0.5 * (only_baseline + only_model > 0)
    shares = np.array([only_baseline + more, only_model + more, both + 2 * more]) / (num_examples + 4 * more)
    draws = np.random.default_rng(_BOOTSTRAP_SEED).multinomial(num_examples, shares, size=num_samples)
    differences = (draws[:, 0] - draws[:, 1]) / num_examples
    low, high = np.quantile(differences, [(1 - confidence) / 2, (1 + confidence) / 2])
    difference = (only_baseline - only_model) / num_examples
    return PairedDifference(
        difference=difference,
        low=min(float(low), difference),
        high=max(float(high), difference),
        only_baseline_correct=only_baseline,
        only_model_correct=only_model,
        p_value=mcnemar_p_value(only_baseline, only_model),
    )
