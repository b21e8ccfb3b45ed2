"""What a set of encoded images is made of: sizes, formats, copies, and which cannot be decoded.

One pass decodes every image of a shard; the columns of all shards are then joined and counted as arrays.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from alexnet_tf.images import ImageRejected, decode, open_header

MAX_PIXELS = 178_956_970
"""Pillow's own limit for a decompression bomb; a survey calls a larger image corrupt."""

_EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Survey:
    """The images of one split; row i of every column is one image.

    Attributes:
        keys: N unique names.
        labels: (N,) int64.
        num_bytes: (N,) int64, encoded size.
        widths: (N,) int64 in pixels, 0 where the header cannot be read.
        heights: (N,) int64 likewise.
        digests: N SHA-256 of the encoded bytes, in hex.
        formats: N of Pillow's names, "JPEG"; empty where the header cannot be read.
        modes: N of Pillow's names, "RGB", "L", "CMYK"; empty likewise.
        orientations: N EXIF orientations, 1 is upright, 0 is none given.
        reasons: N reasons why an image cannot be decoded; empty where it can.
    """

    keys: Sequence[str]
    labels: np.ndarray
    num_bytes: np.ndarray
    widths: np.ndarray
    heights: np.ndarray
    digests: Sequence[str]
    formats: Sequence[str]
    modes: Sequence[str]
    orientations: Sequence[int]
    reasons: Sequence[str]

    @property
    def decodable(self) -> np.ndarray:
        """(N,) bool."""
        return np.array([not reason for reason in self.reasons], bool)


def survey_images(examples: Iterable[Mapping[str, Any]]) -> dict[str, list]:
    """Look at images one by one.

    Args:
        examples: Each with `image` (encoded bytes), `label` (int) and `key` (UTF-8 bytes).

    Returns:
        The columns of a `Survey` as lists that JSON can hold.
    """
    columns: dict[str, list] = defaultdict(list)
    for example in examples:
        content = example["image"]
        row = {
            "keys": example["key"].decode(),
            "labels": example["label"],
            "num_bytes": len(content),
            "digests": hashlib.sha256(content).hexdigest(),
            **_look_at(content),
        }
        for name, value in row.items():
            columns[name].append(value)
    return dict(columns)


def join(parts: Iterable[Mapping[str, list]]) -> Survey:
    """Put the columns of all shards of a split together, in the given order."""
    columns: dict[str, Any] = {name: [] for name in Survey.__dataclass_fields__}
    for part in parts:
        for name, values in part.items():
            columns[name] += values
    for name in ("labels", "num_bytes", "widths", "heights"):
        columns[name] = np.array(columns[name], np.int64)
    return Survey(**columns)


def copies(surveys: Mapping[str, Survey]) -> list[list[tuple[str, int]]]:
    """Return the groups of images with equal bytes, each a list of (split, row), in order of first sight."""
    places: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for split, survey in surveys.items():
        for row, digest in enumerate(survey.digests):
            places[digest].append((split, row))
    return [group for group in places.values() if len(group) > 1]


def _look_at(content: bytes) -> dict[str, Any]:
    found = {"widths": 0, "heights": 0, "formats": "", "modes": "", "orientations": 0, "reasons": ""}
    try:
        header = open_header(content, max_pixels=MAX_PIXELS)
        found["widths"], found["heights"] = header.size
        found["formats"], found["modes"] = header.format or "", header.mode
        found["orientations"] = _orientation(header)
        decode(content, max_pixels=MAX_PIXELS)
    except ImageRejected as rejected:
        found["reasons"] = rejected.reason
    return found


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 0)
    except Exception:  # a broken EXIF block raises whatever its parser met; the image may still be whole
        return 0
    return value if isinstance(value, int) else 0
