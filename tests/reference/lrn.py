"""Local response normalization as §3.3 writes it, one sum after the other."""

import numpy as np


def local_response_normalization(a, *, k: float, n: int, alpha: float, beta: float) -> np.ndarray:
    """b_i = a_i / (k + α Σ_j a_j²)^β, j from max(0, i - n/2) to min(N - 1, i + n/2); (..., N) float64."""
    a = np.asarray(a, np.float64)
    num_kernels = a.shape[-1]
    b = np.empty_like(a)
    for i in range(num_kernels):
        total = np.zeros(a.shape[:-1])
        for j in range(max(0, i - n // 2), min(num_kernels - 1, i + n // 2) + 1):
            total += a[..., j] ** 2
        b[..., i] = a[..., i] / (k + alpha * total) ** beta
    return b


def same_map_normalization(a) -> np.ndarray:
    """`rnorm` of layers-145.cfg: size 5 over positions of the same map, scale 0.001, pow 0.75; (B, H, W, N) float64."""
    a = np.asarray(a, np.float64)
    b = np.empty_like(a)
    for row in range(a.shape[1]):
        for column in range(a.shape[2]):
            near = a[:, max(0, row - 2) : row + 3, max(0, column - 2) : column + 3]
            b[:, row, column] = a[:, row, column] / (1 + 0.001 / 25 * (near**2).sum(axis=(1, 2))) ** 0.75
    return b
