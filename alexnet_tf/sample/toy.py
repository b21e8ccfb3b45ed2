"""A toy in its place: outline, pattern, colours, light on it and its shadow on the ground.

It lives in its own coordinates `u`, `v`: (H, W) float32, 0 at its centre, about 1 at its rim.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from alexnet_tf.sample.difficulty import CONTRAST, OWN_PALETTE_SHARE, PALETTES, PERIOD
from alexnet_tf.sample.steady_math import arctan2, cos, exp, sin


@dataclass(frozen=True)
class Toy:
    """Place and pose of a toy; lengths in pixels, angles in radians."""

    x: float
    y: float
    radius: float
    angle: float
    squeeze: float
    shear: float


def toy_colours(palette: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw the toy's two colours, (3,) float32 each, 0..255."""
    own = generator.random() < OWN_PALETTE_SHARE
    other = int(generator.integers(len(PALETTES)))
    first, second = (np.array(colour, np.float32) for colour in PALETTES[palette if own else other])
    if generator.random() < 0.5:
        first, second = second, first
    middle, contrast = (first + second) / 2, generator.uniform(*CONTRAST)
    tint = generator.normal(0, 12, (2, 3)).astype(np.float32)
    return middle + (first - middle) * contrast + tint[0], middle + (second - middle) * contrast + tint[1]


def place_toy(
    scene: np.ndarray,
    toy: Toy,
    outline: str,
    pattern: str,
    colours: tuple[np.ndarray, np.ndarray],
    generator: np.random.Generator,
) -> np.ndarray:
    """Lay the toy and its shadow on `scene`, (H, W, 3) float32, in place."""
    height, width = scene.shape[:2]
    reach = toy.radius * 1.5
    top, bottom = max(0, int(toy.y - reach)), min(height, int(toy.y + reach) + 1)
    left, right = max(0, int(toy.x - reach)), min(width, int(toy.x + reach) + 1)
    x = (np.arange(left, right, dtype=np.float32) - toy.x) / toy.radius
    y = (np.arange(top, bottom, dtype=np.float32)[:, None] - toy.y) / toy.radius
    cosine, sine = math.cos(toy.angle), math.sin(toy.angle)
    v = (cosine * y - sine * x) / toy.squeeze
    u = cosine * x + sine * y + toy.shear * v
    distance = signed_distance(outline, u, v)
    cover = np.clip(0.5 - distance * toy.radius, 0, 1)

    period, turn = generator.uniform(*PERIOD), generator.uniform(0, math.pi)
    cosine, sine = math.cos(turn) / period, math.sin(turn) / period
    pattern_u = cosine * u + sine * v + generator.random()
    pattern_v = cosine * v - sine * u + generator.random()
    share = pattern_share(pattern, pattern_u, pattern_v, softness=0.06)

    # Light falls from one side; towards the rim a toy curves away from it and darkens.
    sun = generator.uniform(0, 2 * math.pi)
    sun_x, sun_y = math.cos(sun), math.sin(sun)
    shade = 0.86 + 0.22 * (sun_x * x + sun_y * y) - 0.3 * exp(np.minimum(distance, 0) * 9)

    shift = toy.radius * generator.uniform(0.04, 0.14)
    shadow = Image.fromarray((cover * 255).astype(np.uint8), "L").transform(
        (right - left, bottom - top), Image.Transform.AFFINE, (1, 0, sun_x * shift, 0, 1, sun_y * shift)
    )
    shadow = np.asarray(shadow.filter(ImageFilter.BoxBlur(toy.radius * 0.06)), np.float32)
    shadow = 1 - shadow * (generator.uniform(0.2, 0.6) / 255)

    area = scene[top:bottom, left:right]
    for channel in range(3):
        first, second = (np.float32(colour[channel]) for colour in colours)
        toy_light = (first + (second - first) * share) * shade
        ground = area[..., channel] * shadow
        area[..., channel] = ground + (toy_light - ground) * cover
    return scene


OUTLINES = ("ball", "ring", "kite", "star")
PATTERNS = ("striped", "dotted", "checked")
_STAR_POINTS = 5
_STAR_TIP, _STAR_VALLEY = 1.08, 0.5


def signed_distance(outline: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return how far each point is outside the outline; negative is inside.

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
    angle = np.abs(np.mod(arctan2(u, v), 2 * half_sector) - half_sector)
    radius = np.hypot(u, v)
    x, y = radius * cos(half_sector - angle), radius * sin(half_sector - angle)
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
    wave_u, wave_v = sin(2 * math.pi * u), sin(2 * math.pi * v)
    if pattern == "striped":
        level = wave_u
    elif pattern == "checked":
        level = wave_u * wave_v
    else:
        level = (wave_u + wave_v) * 0.5 - 0.3
    # A sine crosses zero with slope 2 pi a period, so this ramp is about `softness` periods wide.
    return np.clip(0.5 + level / (2 * math.pi * softness), 0, 1)
