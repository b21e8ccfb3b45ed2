"""Images that look alike although their bytes differ: resized, recompressed, cropped by a hair.

An image's hash is the DCT hash (pHash) of the library ImageHash, 64 bits; two images are near copies when few bits
differ. Pairs are found without comparing all with all: of d + 1 bands of bits, two hashes that differ in at most d
bits have one in common (the pigeonhole principle).

References:
    Norouzi, Punjani, Fleet: Fast search in Hamming space with multi-index hashing (CVPR 2012).
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from PIL import Image

BITS = 64
_SIDE = 64  # the hash sees 32 x 32 pixels; what is four times larger is averaged first, which costs a tenth of a resize
_BLOCK = 4_000_000  # comparisons at once


def perceptual_hash(image: Image.Image) -> int:
    """Return 64 bits that change little when an image is resized, recompressed or slightly recoloured.

    Args:
        image: RGB.

    Returns:
        0..2^64-1.
    """
    import imagehash  # a second, with SciPy: only the stage validate needs it

    grey = image.convert("L")
    if (factor := min(grey.size) // _SIDE) > 1:
        grey = grey.reduce(factor)
    bits = np.asarray(imagehash.phash(grey).hash, bool)
    return int.from_bytes(np.packbits(bits.ravel()).tobytes(), "big")


def near_pairs(hashes: np.ndarray, distance: int) -> np.ndarray:
    """Return all pairs of hashes that differ in at most `distance` bits.

    Args:
        hashes: (N,) uint64, all different.
        distance: 0 or more.

    Returns:
        (P, 2) int64 positions, the smaller first, sorted, each pair once.
    """
    if distance < 1 or len(hashes) < 2:
        return np.empty((0, 2), np.int64)
    found = []
    for band in _bands(hashes, distance + 1):
        order = np.argsort(band, kind="stable")
        starts = np.flatnonzero(np.diff(band[order], prepend=band[order][0] ^ np.uint64(1)))
        for members in _groups(order, starts):
            found.append(_within(hashes, members, distance))
    return np.unique(np.concatenate([np.empty((0, 2), np.int64), *found]), axis=0)


def _bands(hashes: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """Yield `count` groups of the 64 bits, as even as can be."""
    edges = [BITS * number // count for number in range(count + 1)]
    for low, high in pairwise(edges):
        yield (hashes >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)


def _groups(order: np.ndarray, starts: np.ndarray) -> Iterator[np.ndarray]:
    for start, stop in zip(starts, [*starts[1:], len(order)], strict=True):
        if stop - start > 1:
            yield order[start:stop]


def _within(hashes: np.ndarray, members: np.ndarray, distance: int) -> np.ndarray:
    """Compare all members of one bucket, a block of rows at a time."""
    members = np.sort(members)
    values, rows_at_once, found = hashes[members], max(1, _BLOCK // len(members)), []
    for start in range(0, len(members), rows_at_once):
        block = values[start : start + rows_at_once]
        near = np.bitwise_count(block[:, None] ^ values[None, start:]) <= distance
        first, second = np.nonzero(np.triu(near, 1))
        found.append(np.stack([members[start + first], members[start + second]], axis=1))
    return np.concatenate(found)
