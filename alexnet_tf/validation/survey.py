"""What a set of encoded images is made of: sizes, formats, hashes, and which cannot be decoded.

One pass decodes every image of a shard; the columns of all shards are then joined and counted as arrays.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.data.images import ImageRejected, decode, open_header, orientation_of
from alexnet_tf.validation.near_duplicates import perceptual_hash


@dataclass(frozen=True)
class Survey:
    """The images of one split; row i of every column is one image.

    Attributes:
        keys: (N,) unique names.
        labels: (N,) int32.
        num_bytes: (N,) int64, encoded size.
        widths: (N,) int32 in pixels, 0 where the header cannot be read.
        heights: (N,) int32 likewise.
        digests: (N,) 32 bytes each, SHA-256 of the encoded bytes.
        hashes: (N,) uint64, perceptual; 0 where it cannot be decoded.
        formats: (N,) of Pillow's names, "JPEG"; empty where the header cannot be read.
        modes: (N,) of Pillow's names, "RGB", "L", "CMYK"; empty likewise.
        orientations: (N,) int32 EXIF orientations, 1 is upright, 0 is none given.
        offsets: (N,) int64, where the example begins in its shard, in bytes.
        shards: (N,) int32, the position of its shard in the split's list.
        reasons: N reasons why an image cannot be decoded; empty where it can.
    """

    keys: np.ndarray
    labels: np.ndarray
    num_bytes: np.ndarray
    widths: np.ndarray
    heights: np.ndarray
    digests: np.ndarray
    hashes: np.ndarray
    formats: np.ndarray
    modes: np.ndarray
    orientations: np.ndarray
    offsets: np.ndarray
    shards: np.ndarray
    reasons: Sequence[str]

    @property
    def decodable(self) -> np.ndarray:
        """(N,) bool."""
        return np.array([not reason for reason in self.reasons], bool)


def survey_images(examples: Iterable[tuple[int, Mapping[str, Any]]], *, max_pixels: int) -> dict[str, list]:
    """Look at images one by one.

    Args:
        examples: Byte offset in the shard, and an example of `image` (encoded bytes), `label` (int) and `key`
            (UTF-8 bytes).
        max_pixels: A larger image counts as one that cannot be decoded.

    Returns:
        The columns of a `Survey` but `shards`, as lists.
    """
    columns: dict[str, list] = {name: [] for name in Survey.__dataclass_fields__ if name != "shards"}
    for offset, example in examples:
        content = example["image"]
        row = {
            "keys": example["key"].decode(),
            "labels": example["label"],
            "num_bytes": len(content),
            "digests": hashlib.sha256(content).digest(),
            "offsets": offset,
            **_look_at(content, max_pixels),
        }
        for name, value in row.items():
            columns[name].append(value)
    return columns


def save_columns(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write what `survey_images` returned to a .npz file; a million rows are a few dozen megabytes."""
    texts: dict[str, Any] = {name: np.frombuffer(json.dumps(columns[name]).encode(), np.uint8) for name in _TEXTS}
    arrays: dict[str, Any] = {
        name: np.array(columns[name], np.str_ if kind == _WORDS else kind)
        for name, kind in _KINDS.items()
        if name not in ("keys", "shards")
    }
    np.savez(path, **texts, **arrays)


def load_surveys(paths: Iterable[Path]) -> Survey:
    """Put the columns of all shards of a split together, in the given order."""
    paths = list(paths)
    bounds = np.cumsum([0, *map(_num_rows, paths)]).tolist()
    # At full length at once: parts to join would need twice the room.
    columns = {name: np.empty(bounds[-1], kind) for name, kind in _KINDS.items()}
    reasons: list[str] = []
    for shard, (path, (start, end)) in enumerate(zip(paths, pairwise(bounds), strict=True)):
        with np.load(path) as part:
            keys, found = (json.loads(part[name].tobytes()) for name in _TEXTS)
            reasons += found
            whole = {**part, "keys": keys, "shards": shard}
        for name, column in columns.items():
            column[start:end] = whole[name]
    return Survey(**columns, reasons=reasons)


def _num_rows(path: Path) -> int:
    with np.load(path) as part:
        return len(part["labels"])


def tally(values: np.ndarray) -> Counter[str]:
    """Return how often each word or number of a column comes; empty words do not count."""
    words, counts = np.unique(values, return_counts=True)
    return Counter({str(word): int(count) for word, count in zip(words, counts, strict=True) if word != ""})


_TEXTS = ("keys", "reasons")
_WORDS = np.dtypes.StringDType()  # of any length, in less room than Python's strings
_KINDS: dict[str, Any] = {
    "keys": _WORDS,
    "labels": np.int32,
    "num_bytes": np.int64,
    "widths": np.int32,
    "heights": np.int32,
    "digests": "S32",
    "hashes": np.uint64,
    "formats": _WORDS,
    "modes": _WORDS,
    "orientations": np.int32,
    "offsets": np.int64,
    "shards": np.int32,
}


def _look_at(content: bytes, max_pixels: int) -> dict[str, Any]:
    found = {"widths": 0, "heights": 0, "formats": "", "modes": "", "orientations": 0, "hashes": 0, "reasons": ""}
    try:
        header = open_header(content, max_pixels=max_pixels)
        found["widths"], found["heights"] = header.size
        # Phones add a second picture to a JPEG; what is decoded is the first.
        found["formats"], found["modes"] = "JPEG" if header.format == "MPO" else header.format or "", header.mode
        found["orientations"] = orientation_of(header)
        found["hashes"] = perceptual_hash(decode(content, max_pixels=max_pixels))
    except ImageRejected as rejected:
        found["reasons"] = rejected.reason
    return found
