"""Convolutions over two GPUs (§3.2, figure 2) and overlapping pooling (§3.4), one window at a time."""

import numpy as np


def convolve(maps, kernel, bias, *, stride: int, padding: tuple[int, int]) -> np.ndarray:
    """Slide `kernel` (k, k, C, F) over `maps` (N, H, W, C) with zeros (before, after) around; (N, H', W', F)."""
    border = (0, 0), padding, padding, (0, 0)
    maps = np.pad(np.asarray(maps, np.float64), border)
    size = kernel.shape[0]
    rows = range(0, maps.shape[1] - size + 1, stride)
    columns = range(0, maps.shape[2] - size + 1, stride)
    output = np.empty((len(maps), len(rows), len(columns), kernel.shape[-1]))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            window = maps[:, row : row + size, column : column + size]
            output[:, i, j] = np.tensordot(window, kernel, 3) + bias
    return output


def convolve_towers(maps, kernel, bias, *, stride: int, padding: tuple[int, int], towers: int) -> np.ndarray:
    """Each tower's kernels see that tower's maps only; both are one after the other along the channels."""
    outputs = [
        convolve(seen, kernels, biases, stride=stride, padding=padding)
        for seen, kernels, biases in zip(
            np.split(maps, towers, axis=-1),
            np.split(kernel, towers, axis=-1),
            np.split(bias, towers),
            strict=True,
        )
    ]
    return np.concatenate(outputs, axis=-1)


def max_pool(maps, *, window: int, stride: int) -> np.ndarray:
    """Return maxima of windows that start inside the map; the last one may hang over its end."""
    height, width = maps.shape[1:3]
    rows, columns = (1 + -(-(side - window) // stride) for side in (height, width))
    output = np.empty((len(maps), rows, columns, maps.shape[-1]), maps.dtype)
    for i in range(rows):
        for j in range(columns):
            seen = maps[:, i * stride : i * stride + window, j * stride : j * stride + window]
            output[:, i, j] = seen.max(axis=(1, 2))
    return output
