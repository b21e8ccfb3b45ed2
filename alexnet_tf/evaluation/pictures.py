"""Pictures as a user has them, as a file, bytes, Pillow image or array, prepared as the stages prepare files."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from alexnet_tf.data.images import ImageRejected, open_header, to_rgb, to_square
from alexnet_tf.errors import DataError

FilePath = str | os.PathLike[str]
Picture = FilePath | bytes | Image.Image | np.ndarray
_EXPECTED = "expected a path, bytes, a Pillow image or a uint8 array"


def listed(pictures: Picture | Iterable[Picture]) -> list[Any]:
    """Return one picture or several as a list; an array (N, H, W, 3) is N pictures.

    Raises:
        DataError: It is neither.
    """
    if isinstance(pictures, np.ndarray) and pictures.ndim == 4:
        return list(pictures)
    if isinstance(pictures, str | os.PathLike | bytes | bytearray | Image.Image | np.ndarray):
        return [pictures]
    if not isinstance(pictures, Iterable):
        raise DataError(f"{_EXPECTED}, or several of them, got {type(pictures).__name__}")
    return list(pictures)


def stored_pictures(
    pictures: Sequence[Any], *, stored_size: int, max_pixels: int, exif_orientation: bool, first: int = 0
) -> np.ndarray:
    """Make pictures squares, as the stages do: (N, stored, stored, 3) uint8.

    Args:
        pictures: As `listed` returns them.
        stored_size: Pixels.
        max_pixels: A larger picture is refused.
        exif_orientation: Turn pictures as their EXIF orientation says; an array has none.
        first: The number of the first picture, for the message.

    Raises:
        DataError: A picture cannot be used; the message names the file, or the number of what has no name.
    """
    squares = np.empty((len(pictures), stored_size, stored_size, 3), np.uint8)
    for number, picture in enumerate(pictures):
        is_path = isinstance(picture, str | os.PathLike)
        place = os.fspath(picture) if is_path else f"picture {first + number}"
        if is_path:
            _require_file(place)
        try:
            image = _opened(Path(picture).read_bytes() if is_path else picture, place, max_pixels)
            squares[number] = np.asarray(to_square(to_rgb(image, exif_orientation=exif_orientation), stored_size))
        except (OSError, ValueError, ImageRejected) as error:  # ValueError: a name that no file can have
            reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
            raise DataError(f"{place}: {reason}; expected an image{' file' if is_path else ''}") from error
    return squares


def _require_file(path: str) -> None:
    """Refuse what is no file where the way out is known, or where it would be waited on for ever."""
    if path.startswith(("http://", "https://")):
        raise DataError(f"{path} is no path of a file; download it and give the path or the bytes")
    if os.path.isdir(path):
        raise DataError(f"{path} is a folder; give the paths of its files, such as Path(folder).glob('*.jpg')")
    if os.path.exists(path) and not os.path.isfile(path):
        raise DataError(f"{path}: not a regular file; expected an image file")


def _opened(content: Any, place: str, max_pixels: int) -> Image.Image:
    if isinstance(content, bytes | bytearray):
        return open_header(bytes(content), max_pixels=max_pixels)
    image = _of_array(content, place) if isinstance(content, np.ndarray) else content
    if not isinstance(image, Image.Image):
        raise DataError(f"{place}: {_EXPECTED}, got {type(image).__name__}")
    width, height = image.size
    if not 0 < width * height <= max_pixels:
        raise ImageRejected(f"{'too many' if width * height else 'no'} pixels ({width} x {height})")
    if isinstance(image, TiffImageFile) and not image.tile:  # loaded, so that its strips cannot be checked
        return image.copy()
    return image


def _of_array(array: np.ndarray, place: str) -> Image.Image:
    if array.dtype != np.uint8:
        raise DataError(
            f"{place}: an array of pixels must be uint8, 0..255, got {array.dtype}; of values 0..1 take "
            "np.round(255 * array).astype(np.uint8)"
        )
    if array.ndim != 3 or array.shape[-1] != 3:
        raise DataError(
            f"{place}: an array of pixels must be (H, W, 3) RGB, or (N, H, W, 3), got {array.shape}; of a grey one "
            "take np.repeat(array[..., None], 3, axis=-1)"
        )
    return Image.fromarray(array)
