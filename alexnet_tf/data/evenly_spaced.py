"""Which images stand for a whole split where not all are looked at."""

import numpy as np


def evenly_spaced(num_available: int, num_wanted: int) -> np.ndarray:
    """Return positions 0..num_available-1, evenly spread, each once, `num_wanted` or all; (M,) int64."""
    num = min(num_available, num_wanted)
    return np.arange(num) * num_available // max(num, 1)
