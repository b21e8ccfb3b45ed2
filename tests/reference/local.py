"""A layer whose kernels are not shared between positions, one position at a time."""

import numpy as np


def locally_connected(maps, kernels, bias) -> np.ndarray:
    """Return (N, H, W, F) of `maps` (N, H, W, M), `kernels` (H, W, s, s, M, F) and `bias` (H, W, F), zeros around."""
    rows, columns, size = kernels.shape[:3]
    edge = size // 2
    padded = np.pad(np.asarray(maps, np.float64), [(0, 0), (edge, edge), (edge, edge), (0, 0)])
    output = np.empty((len(maps), rows, columns, kernels.shape[-1]))
    for i in range(rows):
        for j in range(columns):
            window = padded[:, i : i + size, j : j + size]
            output[:, i, j] = np.einsum("nrcm,rcmf->nf", window, kernels[i, j]) + bias[i, j]
    return output
