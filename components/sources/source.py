"""What every source of raw images offers to the stage `download`."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from alexnet_tf.errors import DataError
from components.sources.files import Ignored


@dataclass(frozen=True)
class RawImage:
    """One image as it came.

    Attributes:
        key: Unique name on one line, beginning with the source's own split: `train/tench/0001.JPEG`.
        label: Index of its class in `Source.class_names`.
        content: The encoded file, never changed, even when it cannot be decoded; empty when it cannot be read.
        problem: Why it cannot be read, in a few words; empty when it can.
    """

    key: str
    label: int
    content: bytes
    problem: str = ""


@dataclass(frozen=True)
class Source:
    """Raw images in splits named train, validation and test, of which all but train may be missing.

    Attributes:
        class_names: One a label, all different.
        labels: Of each split that there is, (N,) integers, ordered by `order_value` of the images' keys.
        read: Yields those images of a split whose positions in `labels` are given, in that order, one in
            memory at a time.
        ignored: What is there and not used, each with its reason.
        notes: What a person should know of how the files were understood, each a clause without a full stop.
    """

    class_names: tuple[str, ...]
    labels: Mapping[str, np.ndarray]
    read: Callable[[str, np.ndarray], Iterator[RawImage]]
    ignored: Sequence[Ignored] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Listing:
    """The images of one split, in any order.

    Attributes:
        keys: N keys as `RawImage` has them.
        labels: N labels.
        load: Returns content and problem, as `RawImage` has them, of the image at a position.
    """

    keys: Sequence[str]
    labels: Sequence[int]
    load: Callable[[int], tuple[bytes, str]]


def listed_source(
    class_names: tuple[str, ...],
    listings: Mapping[str, Listing],
    *,
    where: str,
    ignored: Sequence[Ignored] = (),
    notes: Sequence[str] = (),
) -> Source:
    """Return the source whose images are listed by name.

    Args:
        class_names: One a label.
        listings: By split.
        where: Named in an error.
        ignored: As in `Source`.
        notes: As in `Source`.

    Raises:
        DataError: When two images of a split have one key.
    """
    orders = {
        split: sorted_order(np.fromiter(map(order_value, listing.keys), np.uint64), where=where, keys=listing.keys)
        for split, listing in listings.items()
    }

    def read(split: str, rows: np.ndarray) -> Iterator[RawImage]:
        listing = listings[split]
        for position in map(int, orders[split][rows]):
            content, problem = listing.load(position)
            yield RawImage(listing.keys[position], int(listing.labels[position]), content, problem)

    labels = {split: np.asarray(listing.labels, np.int64)[orders[split]] for split, listing in listings.items()}
    return Source(class_names, labels, read, ignored, notes)


def key_text(name: str) -> str:
    r"""Return a file's name as text on one line that UTF-8 can hold; other names stay what they are.

    Example:
        >>> key_text("train/café/a b.jpg"), key_text("two\nlines.jpg"), key_text("latin\udce9.jpg")
        ('train/café/a b.jpg', 'two\\nlines.jpg', 'latin\\udce9.jpg')
    """
    if name.isprintable():
        return name  # a backslash of its own may read like an escape: two such names are told apart, or an error
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in name)


def order_value(key: str) -> int:
    """Return where an image comes in its split, 0..2^64-1: evenly spread, the same on every machine."""
    return int.from_bytes(hashlib.sha256(b"alexnet order " + key.encode()).digest()[:8], "big")


def sorted_order(values: np.ndarray, *, where: str, keys: Sequence[str] | None = None) -> np.ndarray:
    """Return the permutation that sorts images by their `order_value`.

    Args:
        values: (N,) uint64.
        where: Named in the error.
        keys: Of files that can be renamed, theirs; also for the error.

    Returns:
        (N,) int64.

    Raises:
        DataError: When two images have the same value, hence the same key.
    """
    permutation = np.argsort(values, kind="stable")
    twice = np.flatnonzero(values[permutation][1:] == values[permutation][:-1])
    if len(twice):
        found = f"{keys[int(permutation[twice[0]])]} twice; rename one of the two" if keys else "one name twice"
        raise DataError(f"{where}: expected every image to have a name of its own, found {found}.")
    return permutation
