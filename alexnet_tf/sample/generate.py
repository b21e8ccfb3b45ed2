"""A generated set of photographs of toys, for a first run without network and for tests.

Ten classes, each an outline with a pattern: no class has an outline or a pattern for itself, and all share
their colours, so that a network has to see both. As in ImageNet a few files of the training split are
awkward: greyscale, CMYK, a PNG that is named JPEG, turned by an EXIF tag, cut short.
"""

import io
import zlib

import numpy as np
from PIL import Image

from alexnet_tf.sample.difficulty import PALETTES
from alexnet_tf.sample.scene import render

CLASS_NAMES = (
    "striped ball",
    "dotted ball",
    "checked ball",
    "striped ring",
    "dotted ring",
    "striped kite",
    "checked kite",
    "striped star",
    "dotted star",
    "checked star",
)
"""The words for the labels 0 to 9."""

SHORT_SIDE_PX = (120, 288)
LONG_SIDE_PX = 500
PANORAMA_SHARE = 0.05
"""How many images are as long as `LONG_SIDE_PX` allows; the others have aspects up to 2:1."""

# (class, index) of the awkward files. The broken one comes late: a training split of which it would be more
# than a fiftieth has none.
_AWKWARD = {
    (1, 0): "grey",
    (4, 2): "grey",
    (7, 12): "grey",
    (2, 1): "cmyk",
    (8, 9): "cmyk",
    (3, 1): "png",
    (9, 11): "png",
    (0, 2): "exif",
    (5, 1): "exif",
    (6, 7): "cut short",
}
_EXIF_ORIENTATION = 0x0112
_TURNED_RIGHT = 6


def generate(split: str, class_index: int, index: int, seed: int) -> tuple[str, bytes]:
    """Make one image file; the same arguments always give the same bytes.

    Args:
        split: Name of the split; the same index in two splits gives two images.
        class_index: 0 to 9.
        index: Number of the image within its class and split, from 0.
        seed: Seed of the whole set, 0 or more.

    Returns:
        The file's name without folder, and its content: a JPEG but for the awkward ones.
    """
    entropy = np.random.SeedSequence((seed, zlib.crc32(split.encode()), class_index, index))
    generator = np.random.Generator(np.random.PCG64(entropy))
    pattern, outline = CLASS_NAMES[class_index].split()
    width, height = _size(generator)
    image = render(outline, pattern, class_index % len(PALETTES), width=width, height=height, generator=generator)
    quality = int(generator.integers(70, 96))
    awkward = _AWKWARD.get((class_index, index)) if split == "train" else None
    return f"{index:05d}.JPEG", _encode(image, quality, awkward)


def _size(generator: np.random.Generator) -> tuple[int, int]:
    """Draw width and height in pixels, portrait as often as landscape."""
    short = int(generator.integers(SHORT_SIDE_PX[0], SHORT_SIDE_PX[1] + 1))
    panorama = generator.random() < PANORAMA_SHARE
    aspect = generator.choice((1.0, 4 / 3, 3 / 2, generator.uniform(1, 2)))
    long = LONG_SIDE_PX if panorama else min(LONG_SIDE_PX, round(short * aspect))
    return (short, long) if generator.random() < 0.5 else (long, short)


def _encode(image: Image.Image, quality: int, awkward: str | None) -> bytes:
    file = io.BytesIO()
    if awkward == "png":
        image.save(file, "PNG")
    elif awkward == "grey":
        image.convert("L").save(file, "JPEG", quality=quality)
    elif awkward == "cmyk":
        image.convert("CMYK").save(file, "JPEG", quality=quality)
    elif awkward == "exif":
        exif = Image.Exif()
        exif[_EXIF_ORIENTATION] = _TURNED_RIGHT
        image.transpose(Image.Transpose.ROTATE_90).save(file, "JPEG", quality=quality, exif=exif)
    else:
        image.save(file, "JPEG", quality=quality)
    content = file.getvalue()
    return content[: len(content) // 2] if awkward == "cut short" else content
