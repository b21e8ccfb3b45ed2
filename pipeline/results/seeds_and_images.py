"""How sure a difference of two networks is: over the seeds of their trainings, and over the test images.

Another seed would train other networks, and another test split would show other images: an interval has to cover both.
Three seeds are too few to bootstrap, so this is an analysis of variance.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alexnet_tf.wording import points_with_interval

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """A difference of two errors, fractions.

    Attributes:
        by_seed: The differences of the same seeds.
        low: Low end of the interval of their mean; None with one seed or one image, which says nothing of another.
        high: High end.
    """

    by_seed: tuple[float, ...]
    low: float | None
    high: float | None

    @property
    def mean(self) -> float:
        """The mean over the seeds."""
        return sum(self.by_seed) / len(self.by_seed)

    @property
    def points(self) -> str:
        """The mean in percentage points, with its interval where there is one."""
        return points_with_interval(self.mean, self.low, self.high, digits=2)


def shown_error(values: Sequence[float], digits: int = 2) -> str:
    """Write the mean of an error over seeds in percent, with its standard deviation where there are several."""
    spread = f" ± {100 * statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.{digits}f}{spread} %"


def over_seeds(differences: np.ndarray) -> Difference:
    """Return the mean difference with Student's interval over seeds.

    Args:
        differences: (S,) float64, one a seed.
    """
    if len(differences) < 2:
        return _without_interval(differences)
    return _with_interval(differences, differences.var(ddof=1) / len(differences), len(differences) - 1)


def over_seeds_and_images(differences: np.ndarray) -> Difference:
    """Return the mean difference with an interval over seeds and images.

    Seeds and images are crossed random effects: a difference is μ + seed + image + rest. The variance of the mean is
    (M_seed + M_image - M_rest) / (S·N), but never less than M_seed / (S·N) or M_image / (S·N), where M are the mean
    squares of the two and of the rest. Satterthwaite's degrees of freedom follow, and are at least those of the seeds.

    Args:
        differences: (S, N) float64: of each seed and image 1 where only the network is wrong, -1 where only the
            baseline is, else 0.

    References:
        Satterthwaite, "An approximate distribution of estimates of variance components", 1946.
    """
    seeds, images = differences.shape
    by_seed, by_image = differences.mean(axis=1), differences.mean(axis=0)
    if seeds < 2 or images < 2:
        return _without_interval(by_seed)
    rest = differences - by_seed[:, None] - by_image + differences.mean()
    free = np.array([seeds - 1, images - 1, (seeds - 1) * (images - 1)])
    squares = np.array([images * by_seed.var(ddof=1), seeds * by_image.var(ddof=1), (rest**2).sum() / free[2]])
    total = max(squares[0] + squares[1] - squares[2], squares[0], squares[1])
    spread = (squares**2 / free).sum()
    degrees = max(total**2 / spread, seeds - 1) if spread else seeds - 1
    return _with_interval(by_seed, total / (seeds * images), degrees)


def _without_interval(by_seed: np.ndarray) -> Difference:
    return Difference(tuple(by_seed.tolist()), None, None)


def _with_interval(by_seed: np.ndarray, variance: float, degrees: float) -> Difference:
    from scipy.stats import t

    half = float(t.ppf(0.5 + CONFIDENCE / 2, degrees)) * variance**0.5
    return Difference(tuple(by_seed.tolist()), by_seed.mean() - half, by_seed.mean() + half)
