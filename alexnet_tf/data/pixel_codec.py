"""The pixels of a square image as the records hold them: as they are, or as JPEG.

JPEG keeps its colours at full resolution (4:4:4): at half of it, the usual saving, photographs lose what the
colour statistics of §4.1 measure. A grey image stays grey to the last bit. Pillow compresses: simplejpeg would do so
with the fast cosine transform, whose pixels are further off. simplejpeg decompresses, straight into an array, with
the interpreter lock free, so that threads use all cores; Pillow holds it while it copies.
"""

import io
import os
from typing import IO, Literal

import numpy as np
import simplejpeg
from PIL import Image

CHANNELS = 3
FEATURES = {"raw": "image/raw", "jpeg": "image/jpeg"}
"""Encoding -> the feature of `tf.train.Example` that holds the pixels."""


def encode_pixels(image: Image.Image, *, encoding: Literal["raw", "jpeg"], jpeg_quality: int) -> bytes:
    """Return the bytes to store; equal pixels give equal bytes, for JPEG with equal libjpeg.

    Args:
        image: RGB, without metadata, as `to_square` gives it.
        encoding: "raw", row by row, or "jpeg".
        jpeg_quality: 1..100, libjpeg's; "raw" does without.
    """
    if encoding == "raw":
        return image.tobytes()
    with _memory_file() as file:
        image.save(file, "JPEG", quality=jpeg_quality, subsampling="4:4:4")
        length = file.tell()
        file.seek(0)
        return file.read(length)


def _memory_file() -> IO[bytes]:
    """Open an empty file in memory, with a descriptor where there is such a thing, as on Linux.

    Pillow compresses with the interpreter lock free into a file that has a descriptor, and with it held into any other.
    """
    return open(os.memfd_create("jpeg"), "w+b", buffering=0) if hasattr(os, "memfd_create") else io.BytesIO()


def decode_pixels(stored: bytes, *, encoding: str, size: int) -> np.ndarray:
    """Return the pixels that training sees, which for JPEG are not those that were encoded.

    Args:
        stored: As `encode_pixels` gives it.
        encoding: Likewise.
        size: Side of the image, S pixels.

    Returns:
        (S, S, 3) uint8, RGB.

    Raises:
        ValueError: When the bytes are anything else; says what was expected and found.
    """
    if encoding == "raw":
        if len(stored) != size * size * CHANNELS:
            raise ValueError(f"expected {size * size * CHANNELS} bytes, found {len(stored)}")
        return np.frombuffer(stored, np.uint8).reshape(size, size, CHANNELS)
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(stored)
        if (height, width, colours) == (size, size, "YCbCr"):
            return simplejpeg.decode_jpeg(stored)
        found = f"{width} x {height} of {colours}"
    except ValueError as error:
        found = f"{len(stored)} bytes that are none ({error})"
    raise ValueError(f"expected a JPEG of {size} x {size} pixels in colour, found {found}")
