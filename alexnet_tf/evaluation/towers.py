"""Whether the towers have parted as in figure 3 of the paper: the colours that the kernels of conv1 see. NumPy only."""

import numpy as np

_WAYS = 10_000  # to deal kernels to towers


def colour_shares(kernels: np.ndarray, towers: int) -> list[float]:
    """Say how colourful the first-layer kernels of each tower are; in §6.1 one tower's are colour-agnostic.

    Of a kernel's energy the share that is not grey, meaned over the tower's kernels, all of which count alike:

        1 - Σ (r + g + b)² / 3 / Σ (r² + g² + b²)

    summed over its pixels. 0 where a kernel weighs the three channels alike and sees brightness alone, 1 where its
    weights cancel over the channels of every pixel and it sees colour alone; weights drawn at random have 2/3. A
    kernel of zeros counts as 0.

    Args:
        kernels: (h, w, 3, F) float, tower after tower along the last axis; F is divisible by `towers`.
        towers: Number of towers.

    Returns:
        One share a tower, in [0, 1].
    """
    return _tower_means(_colours(kernels), towers).tolist()


def towers_apart_p_value(kernels: np.ndarray, towers: int) -> float:
    """Say how often chance parts the colour shares of towers as far, if it deals the kernels: a permutation test.

    Args:
        kernels: (h, w, 3, F) float, as for `colour_shares`.
        towers: Number of towers, at least 2.

    Returns:
        Of 10,000 ways to deal them, this one included, the share in which the largest and the smallest of
        `colour_shares` are at least as far apart, in (0, 1].
    """
    colours = _colours(kernels)
    dealt = np.random.default_rng(0).permuted(np.tile(colours, (_WAYS - 1, 1)), axis=1)
    ranges = np.ptp(_tower_means(np.vstack([colours, dealt]), towers), axis=1)
    return float(np.mean(ranges >= ranges[0] - 1e-12))  # of equal ways sums round differently


def _colours(kernels: np.ndarray) -> np.ndarray:
    values = kernels.astype(np.float64)
    grey, energy = (values.sum(axis=2) ** 2 / 3).sum(axis=(0, 1)), (values**2).sum(axis=(0, 1, 2))
    return np.maximum(np.divide(energy - grey, energy, out=np.zeros_like(energy), where=energy != 0), 0)


def _tower_means(colours: np.ndarray, towers: int) -> np.ndarray:
    return colours.reshape(*colours.shape[:-1], towers, -1).mean(axis=-1)
