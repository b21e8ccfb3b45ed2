"""What every source of raw images offers to the stage `download`."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from alexnet_tf.errors import DataError


@dataclass(frozen=True)
class RawImage:
    """One image as it came.

    Attributes:
        key: Unique name, beginning with the source's own split: `train/tench/0001.JPEG`.
        label: Index of its class in `Source.class_names`.
        content: The encoded file, never changed, even when it cannot be decoded.
    """

    key: str
    label: int
    content: bytes


@dataclass(frozen=True)
class Source:
    """Raw images in splits named train, validation and test, of which all but train may be missing.

    Attributes:
        class_names: One a label.
        counts: Number of images in each split that there is.
        read: Yields the images of a split, ordered by `order_value` of their keys, one in memory at a time.
    """

    class_names: tuple[str, ...]
    counts: Mapping[str, int]
    read: Callable[[str], Iterator[RawImage]]


def order_value(key: str) -> int:
    """Return where an image comes in its split, 0..2^64-1: evenly spread, the same on every machine."""
    return int.from_bytes(hashlib.sha256(b"alexnet order " + key.encode()).digest()[:8], "big")


def sorted_order(values: np.ndarray, *, where: str) -> np.ndarray:
    """Return the permutation that sorts images by their `order_value`.

    Args:
        values: (N,) uint64.
        where: Named in the error.

    Returns:
        (N,) int64.

    Raises:
        DataError: When two images have the same value, hence the same key.
    """
    permutation = np.argsort(values, kind="stable")
    if np.any(values[permutation][1:] == values[permutation][:-1]):
        raise DataError(f"{where}: expected every image to have a name of its own, found one name twice.")
    return permutation
