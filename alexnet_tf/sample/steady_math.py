"""Functions of float32 arrays with the same bits on every processor.

NumPy computes sines, exponentials and angles by the widest instructions that the processor has, and their last bits
differ. A grey level may then be another one, and with it the checksum of a generated image. Sums, products, quotients
and roots are the same everywhere.
"""

from collections.abc import Callable

import numpy as np

_STEPS = 2.0**20  # per unit: far coarser than what differs in float64, far finer than a grey level


def sin(angles: np.ndarray) -> np.ndarray:
    """Return sines, float32, of angles in radians."""
    return _steady(np.sin, angles)


def cos(angles: np.ndarray) -> np.ndarray:
    """Return cosines, float32, of angles in radians."""
    return _steady(np.cos, angles)


def exp(values: np.ndarray) -> np.ndarray:
    """Return exponentials, float32, of values of at most 0."""
    return _steady(np.exp, values)


def arctan2(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return angles in radians, float32."""
    return _steady(np.arctan2, y, x)


def _steady(function: Callable[..., np.ndarray], *arguments: np.ndarray) -> np.ndarray:
    exact = function(*(each.astype(np.float64) for each in arguments))
    return (np.rint(exact * _STEPS) / _STEPS).astype(np.float32)
