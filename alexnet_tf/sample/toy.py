"""A toy in its place: outline, pattern, colours, light on it and its shadow on the ground."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from alexnet_tf.sample.difficulty import CONTRAST, OWN_PALETTE_SHARE, PALETTES, PERIOD
from alexnet_tf.sample.shapes import pattern_share, signed_distance


@dataclass(frozen=True)
class Toy:
    """Where a toy lies and how; lengths in pixels, angles in radians."""

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
    shade = 0.86 + 0.22 * (sun_x * x + sun_y * y) - 0.3 * np.exp(np.minimum(distance, 0) * 9)

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
