"""Encoded images in, square RGB pixels out, with Pillow alone (§2: "a fixed resolution of 256 × 256").

Anything that real ImageNet holds is read: grey, CMYK, palette, transparent, 16 bits a channel, PNG named
JPEG; also AVIF, JPEG 2000 and PPM. What cannot be read raises `ImageRejected`.

EXIF orientation is ignored unless it is asked for: the stages take images as they are stored, as the 2012 code and
TensorFlow do. TIFF is the exception, since its orientation belongs to the format and Pillow turns the image.
"""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
from PIL import Image, ImageChops, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    PHOTOMETRIC_INTERPRETATION,
    PLANAR_CONFIGURATION,
    SAMPLESPERPIXEL,
    TiffImageFile,
)

# No format that starts a program (EPS) or renders vectors.
FORMATS = {
    "JPEG": (".jpeg", ".jpg", ".jpe", ".jfif"),
    "PNG": (".png", ".apng"),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif", ".avifs"),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
}
"""Pillow's name of each format that is read -> how its files' names end, in lower-case letters."""
SUFFIXES = frozenset(suffix for suffixes in FORMATS.values() for suffix in suffixes)

_EXIF_ORIENTATION = 0x0112
_UINT16_MAX = 65_535
_TURNS = {  # EXIF orientation -> what makes the image upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

BOMB_PIXELS = 178_956_970
"""Pixels above which Pillow by itself refuses an image as a decompression bomb; from half as many on it warns."""

_PILLOWS_LIMIT = threading.Lock()


class ImageRejected(Exception):
    """An image that cannot be used.

    Attributes:
        reason: Why, in a few words that depend only on the bytes, so that a manifest can contain them.
    """

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def open_header(encoded: bytes, *, max_pixels: int) -> Image.Image:
    """Read format, size and mode without decoding any pixel.

    Args:
        encoded: The file's bytes.
        max_pixels: More than this many pixels are rejected: a few kilobytes can ask for gigabytes.

    Raises:
        ImageRejected: When the bytes are no known image, or the image is empty or too large.
    """
    if not encoded:
        raise ImageRejected("empty file")
    try:
        with _without_pillows_limit():
            image = Image.open(io.BytesIO(encoded), formats=tuple(FORMATS))
    except UnidentifiedImageError as error:  # its text holds a memory address
        raise ImageRejected("no known image format") from error
    except Exception as error:  # broken headers raise whatever the format's parser met first
        raise ImageRejected(f"broken header ({type(error).__name__})") from error
    width, height = image.size
    if width < 1 or height < 1:
        raise ImageRejected(f"no pixels ({width} x {height})")
    if width * height > max_pixels:
        raise ImageRejected(f"too many pixels ({width} x {height})")
    return image


@contextmanager
def _without_pillows_limit() -> Iterator[None]:
    """Let Pillow read an image that claims any size: `open_header` has a limit that always holds, and names the size.

    The limit is one of the whole process, in which others may rely on it.
    """
    with _PILLOWS_LIMIT:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 is upright; 0 if there is none, or the block is broken.

    Pillow gives the rotation and the mirror that AVIF's container has (`irot`, `imir`) as EXIF orientation, too.
    """
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 0)
    except Exception:  # a broken EXIF block raises whatever its parser met; the image may still be whole
        return 0
    return value if isinstance(value, int) and 0 <= value <= _UINT16_MAX else 0  # EXIF has it in two bytes


def decode(encoded: bytes, *, max_pixels: int, exif_orientation: bool = False) -> Image.Image:
    """Decode an image to 8-bit RGB; of an animation the first frame, of transparency the colours without it.

    Damage in the middle of a JPEG that leaves its markers whole is not seen: libjpeg gives wrong pixels.

    Args:
        encoded: The file's bytes.
        max_pixels: As in `open_header`.
        exif_orientation: Turn and mirror the image as its EXIF orientation says, as programs that show it do.

    Returns:
        A Pillow image of mode RGB; `.size` is (width, height) in pixels.

    Raises:
        ImageRejected: When it cannot be decoded whole.
    """
    return to_rgb(open_header(encoded, max_pixels=max_pixels), exif_orientation=exif_orientation)


def to_rgb(image: Image.Image, *, exif_orientation: bool) -> Image.Image:
    """Decode an opened image, or convert one that has its pixels already, as `decode` does.

    Args:
        image: It is left as it was, but for being loaded.
        exif_orientation: As of `decode`.

    Raises:
        ImageRejected: As of `decode`.
    """
    try:
        if misreading := _misreading(image):
            raise ImageRejected(f"TIFF of {misreading}")
        # Pillow checks the size of a TIFF again as it decodes it.
        with _without_pillows_limit() if isinstance(image, TiffImageFile) else nullcontext():
            image.load()
        turn = _TURNS.get(orientation_of(image)) if exif_orientation else None  # none of a TIFF, which `load` turned
        if image.mode.startswith("I;16"):
            image = Image.fromarray(_high_bits(image))
        if isinstance(image, JpegImageFile) and image.mode == "CMYK" and "adobe" not in image.info:
            image = ImageChops.invert(image)  # Pillow takes inks to be inverted, as Adobe alone stores them
        if image.mode == "I" and image.format == "PPM":  # grey of more than 8 bits, which Pillow scales to 16
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        if image.mode in ("I", "F"):
            raise ImageRejected(f"pixels of unknown range (mode {image.mode})")
        image = _without_transparency(image)
        image = image if image.mode == "RGB" else image.convert("RGB")
        return image if turn is None else image.transpose(turn)
    except OSError as error:
        raise ImageRejected(f"cannot be decoded ({error})") from error
    except ImageRejected:
        raise
    except Exception as error:  # MemoryError, and what parsers raise on broken chunks
        raise ImageRejected(f"cannot be decoded ({type(error).__name__})") from error


def _without_transparency(image: Image.Image) -> Image.Image:
    """Return the image itself, or a copy that says nothing of transparency, by which Pillow would change colours."""
    if "transparency" in image.info:
        image = image.copy()
        del image.info["transparency"]
    return image


def _misreading(image: Image.Image) -> str:
    """Say what Pillow 12.3 would read wrongly without a word, or nothing."""
    if not isinstance(image, TiffImageFile) or any(tile.codec_name == "libtiff" for tile in image.tile):
        return ""
    if image.tag_v2.get(PLANAR_CONFIGURATION) == 2 and max(image.tag_v2.get(BITSPERSAMPLE, (1,))) > 8:
        return "more than 8 bits a channel, plane by plane"  # of which it reads half the bytes
    planes = image.tag_v2.get(SAMPLESPERPIXEL, 1) if image.tag_v2.get(PLANAR_CONFIGURATION) == 2 else 1
    extents = [tile.extents for tile in image.tile if tile.extents]
    covered = sum((right - left) * (bottom - top) for left, top, right, bottom in extents)
    if covered < planes * image.width * image.height:
        return "strips that leave out a part"  # which it leaves black
    return ""


def _high_bits(image: Image.Image) -> np.ndarray:
    """Return an image of more than 8 bits of grey as (H, W) uint8; Pillow would clip at 255.

    Of a TIFF, Pillow gives the numbers as they are stored: up to 4095 where there are 12 bits, and 0 for white where
    its tag says so.
    """
    tags = image.tag_v2 if isinstance(image, TiffImageFile) else {}
    (bits,) = tags.get(BITSPERSAMPLE, (16,))
    grey = (np.asarray(image) >> (bits - 8)).astype(np.uint8)
    return 255 - grey if tags.get(PHOTOMETRIC_INTERPRETATION) == 0 else grey


def to_square(image: Image.Image, size: int) -> Image.Image:
    """Scale the shorter side to `size` with antialiasing and keep the central square (§2), without the file's metadata.

    Only the wanted window is resampled, so a strip of 1 × 3000 pixels costs no more than a photograph. A
    smaller image is enlarged by the same filter (a triangle, "bilinear", widened by the scale when reducing).

    Args:
        image: RGB.
        size: Pixels.
    """
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    window = (left, top, left + side, top + side)
    square = image.resize((size, size), Image.Resampling.BILINEAR, box=window)
    square.info = {}  # else Pillow would write comments and colour profiles of the original into what it saves
    return square
