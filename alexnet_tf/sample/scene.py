"""One generated photograph: background, clutter, a toy with light and shadow, lens and sensor.

All draws come from the generator that is handed in, in a fixed order, so a scene is a function of its seed.
What makes a class easy or hard to tell is in `alexnet_tf.sample.difficulty`.
"""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from alexnet_tf.sample.difficulty import BLUR, CLUTTER, LIGHT, NOISE, OCCLUDED_SHARE, OFF_CENTRE, PALETTES, RADIUS, TILT
from alexnet_tf.sample.steady_math import sin
from alexnet_tf.sample.toy import Toy, place_toy, toy_colours

# Ground colours, dark and light: grass, sand, wood, stone, water, cloth.
_GROUNDS = (
    ((52, 84, 34), (132, 160, 78)),
    ((168, 138, 92), (226, 204, 160)),
    ((94, 58, 32), (176, 124, 78)),
    ((86, 88, 92), (168, 168, 166)),
    ((34, 84, 118), (130, 178, 196)),
    ((112, 36, 48), (190, 112, 112)),
)


def render(
    outline: str, pattern: str, palette: int, *, width: int, height: int, generator: np.random.Generator
) -> Image.Image:
    """Draw one photograph of a toy.

    Args:
        outline: One of `toy.OUTLINES`.
        pattern: One of `toy.PATTERNS`.
        palette: Index of the class's own pair of colours in `PALETTES`.
        width: In pixels.
        height: In pixels.
        generator: Source of all that varies.

    Returns:
        An RGB image of that size.
    """
    side = min(width, height)
    canvas = _ground(width, height, generator)
    _scatter(canvas, int(generator.integers(CLUTTER[0], CLUTTER[1] + 1)), generator)
    scene = np.array(canvas, np.float32)
    toy = Toy(
        x=width / 2 + side * generator.uniform(-OFF_CENTRE, OFF_CENTRE),
        y=height / 2 + side * generator.uniform(-OFF_CENTRE, OFF_CENTRE),
        radius=side * generator.uniform(*RADIUS),
        angle=generator.uniform(0, 2 * math.pi),
        squeeze=1 - generator.uniform(0, TILT),
        shear=generator.uniform(-TILT, TILT),
    )
    scene = place_toy(scene, toy, outline, pattern, toy_colours(palette, generator), generator)
    if generator.random() < OCCLUDED_SHARE:
        scene = _occlude(scene, toy, generator)
    return _photograph(scene, side, generator)


def _cloud(width: int, height: int, cells: float, generator: np.random.Generator) -> np.ndarray:
    """Return smooth noise, (height, width) float32, 0..1, with about `cells` lumps along the shorter side."""
    step = min(width, height) / cells
    grid = generator.random((max(2, round(height / step)) + 1, max(2, round(width / step)) + 1), np.float32)
    return np.asarray(Image.fromarray(grid, "F").resize((width, height), Image.Resampling.BILINEAR))


def _ground(width: int, height: int, generator: np.random.Generator) -> Image.Image:
    """Return a background: one ground's colours, lumps of two sizes, perhaps furrows."""
    dark, light = _GROUNDS[int(generator.integers(len(_GROUNDS)))]
    level = 0.6 * _cloud(width, height, generator.uniform(2, 4), generator)
    level = level + 0.4 * _cloud(width, height, generator.uniform(12, 40), generator)
    if generator.random() < 0.5:
        angle, frequency = (
            generator.uniform(0, math.pi),
            generator.uniform(2, 9) * 2 * math.pi / min(width, height),
        )
        x = np.arange(width, dtype=np.float32) * (math.cos(angle) * frequency)
        y = np.arange(height, dtype=np.float32)[:, None] * (math.sin(angle) * frequency)
        level = level + generator.uniform(0.05, 0.2) * sin(x + y + 3 * level)
    grey = Image.fromarray((np.clip(level, 0, 1) * 255).astype(np.uint8), "L")
    ramps = np.linspace(dark, light, 256).astype(np.uint8)
    return Image.merge("RGB", [grey.point(ramp.tolist()) for ramp in ramps.T])


def _scatter(canvas: Image.Image, count: int, generator: np.random.Generator) -> None:
    """Draw `count` small plain things anywhere, in the colours that toys wear."""
    draw, side = ImageDraw.Draw(canvas), min(canvas.size)
    for _ in range(count):
        x, y = generator.uniform(0, canvas.width), generator.uniform(0, canvas.height)
        size = side * generator.uniform(0.03, 0.13)
        pair = PALETTES[int(generator.integers(len(PALETTES)))]
        colour = tuple(int(c * generator.uniform(0.6, 1)) for c in pair[int(generator.integers(2))])
        kind = int(generator.integers(3))
        if kind == 0:
            draw.ellipse((x - size, y - size * 0.7, x + size, y + size * 0.7), fill=colour)
        elif kind == 1:
            corners = generator.uniform(-1.4, 1.4, (4, 2)) * size + (x, y)
            draw.polygon([tuple(corner) for corner in corners.tolist()], fill=colour)
        else:
            end = generator.uniform(-4, 4, 2) * size + (x, y)
            draw.line((x, y, *end.tolist()), fill=colour, width=max(1, round(size / 4)))


def _occlude(scene: np.ndarray, toy: Toy, generator: np.random.Generator) -> np.ndarray:
    """Lay a stalk over the toy, off its centre; returns (H, W, 3) float32."""
    canvas = Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8), "RGB")
    angle, gap = generator.uniform(0, math.pi), toy.radius * generator.uniform(-0.6, 0.6)
    along = np.array((math.cos(angle), math.sin(angle))) * sum(canvas.size)
    foot = np.array((toy.x - math.sin(angle) * gap, toy.y + math.cos(angle) * gap))
    dark, light = _GROUNDS[int(generator.integers(len(_GROUNDS)))]
    colour = tuple((np.add(dark, light) // 2).tolist())
    thickness = max(2, round(toy.radius * generator.uniform(0.1, 0.3)))
    ImageDraw.Draw(canvas).line((*(foot - along).tolist(), *(foot + along).tolist()), colour, thickness)
    return np.array(canvas, np.float32)


def _photograph(scene: np.ndarray, side: int, generator: np.random.Generator) -> Image.Image:
    """Expose, blur and grain the scene, (H, W, 3) float32, 0..255, which is overwritten."""
    height, width = scene.shape[:2]
    exposure = generator.uniform(*LIGHT) * (0.75 + 0.5 * _cloud(width, height, 1.2, generator))
    cast = generator.uniform(0.88, 1.12, 3).astype(np.float32)
    for channel in range(3):
        scene[..., channel] *= exposure * cast[channel]
    lens = Image.fromarray(np.minimum(scene, 255, out=scene).astype(np.uint8), "RGB")
    lens = lens.filter(ImageFilter.BoxBlur(side * generator.uniform(0, BLUR)))
    grain = generator.standard_normal((height, width), np.float32) * generator.uniform(0, NOISE)
    np.add(np.asarray(lens), grain[..., None], out=scene)
    return Image.fromarray(np.clip(scene, 0, 255, out=scene).astype(np.uint8), "RGB")
