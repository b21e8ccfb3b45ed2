"""The toys that the generated sample shows: an outline and a pattern on it, both functions of the plane.

A toy lives in its own coordinates `u`, `v`: (H, W) float32, 0 at its centre, about 1 at its rim.
"""

import math

import numpy as np

OUTLINES = ("ball", "ring", "kite", "star")
PATTERNS = ("striped", "dotted", "checked")

_STAR_POINTS = 5
_STAR_TIP, _STAR_VALLEY = 1.08, 0.5


def signed_distance(outline: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return how far each point lies outside the outline; negative is inside.

    Args:
        outline: One of `OUTLINES`.
        u: (H, W) float32.
        v: (H, W) float32.

    Returns:
        (H, W) float32, in the toy's own units.
    """
    if outline == "ball":
        return np.hypot(u, v) - 0.92
    if outline == "ring":
        return np.abs(np.hypot(u, v) - 0.7) - 0.27
    if outline == "kite":
        half_height = np.where(v < 0, np.float32(0.72), np.float32(1.15))
        return (np.abs(u) / 0.74 + np.abs(v) / half_height - 1) * 0.6
    # A star: fold the plane into half a point, where the rim is the line from a tip to a valley.
    half_sector = math.pi / _STAR_POINTS
    angle = np.abs(np.mod(np.arctan2(u, v), 2 * half_sector) - half_sector)
    radius = np.hypot(u, v)
    x, y = radius * np.cos(half_sector - angle), radius * np.sin(half_sector - angle)
    valley_x, valley_y = _STAR_VALLEY * math.cos(half_sector), _STAR_VALLEY * math.sin(half_sector)
    along_x, along_y = valley_x - _STAR_TIP, valley_y
    return ((x - _STAR_TIP) * along_y - y * along_x) / math.hypot(along_x, along_y)


def pattern_share(pattern: str, u: np.ndarray, v: np.ndarray, softness: float) -> np.ndarray:
    """Return how much of the second colour shows at each point.

    Args:
        pattern: One of `PATTERNS`.
        u: (H, W) float32, in periods of the pattern.
        v: (H, W) float32, in periods of the pattern.
        softness: Width of the edge between the two colours, as a share of a period.

    Returns:
        (H, W) float32, 0..1.
    """
    wave_u, wave_v = np.sin(2 * math.pi * u), np.sin(2 * math.pi * v)
    if pattern == "striped":
        level = wave_u
    elif pattern == "checked":
        level = wave_u * wave_v
    else:
        level = (wave_u + wave_v) * 0.5 - 0.3
    # A sine crosses zero with slope 2 pi a period, so this ramp is about `softness` periods wide.
    return np.clip(0.5 + level / (2 * math.pi * softness), 0, 1)
