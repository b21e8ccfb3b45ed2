"""What is in the folder of a split: its class folders, and what looks like a mistake beside them."""

import os
import unicodedata
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from alexnet_tf.errors import DataError
from components.sources.files import ARCHIVES, Ignored, loose_files, subfolders, suffix

BESIDE = "an image beside the class folders"


class SplitFolder(NamedTuple):
    """The folders of the classes, sorted, and what is beside them and not used."""

    classes: list[str]
    ignored: list[Ignored]


def read_split_folder(root: Path) -> SplitFolder:
    """List the class folders of a split.

    Args:
        root: Exists.

    Raises:
        DataError: When a class is there as an archive or as a link that leads nowhere, two folders look the same, or
            there are images and no class folder.
    """
    classes = subfolders(root)
    images, others = loose_files(root)
    _require_unpacked(root, classes, [name for name, _ in others])
    for name, _ in others:
        if os.path.islink(root / name) and not os.path.exists(root / name):
            raise DataError(
                f"{root / name}: expected a class folder, found a link that leads nowhere; mount what it leads to or "
                f"remove it."
            )
    if not classes:
        if not images:
            raise DataError(f"{root}: expected a folder for each class, found none; fill {root.name}/ or remove it.")
        raise DataError(
            f"{root}: expected a folder for each class, found {len(images):,} images such as {images[0]}; move every "
            f"image of it into {root.name}/CLASS/, or move {root.name}/ out of {root.parent}."
        )
    _require_different_looks(root, classes)
    return SplitFolder(classes, [Ignored(name, BESIDE) for name in images] + others)


def _require_unpacked(root: Path, folders: Iterable[str], names: Iterable[str]) -> None:
    """Refuse an archive whose folder is not there: what it holds would be missing without a word.

    Raises:
        DataError: When there is one.
    """
    packed = [name for name in names if suffix(name) in ARCHIVES and name.partition(".")[0] not in set(folders)]
    if packed:
        stem = packed[0].partition(".")[0]
        count = f" ({len(packed):,} such archives)" if len(packed) > 1 else ""
        raise DataError(
            f"{root}: expected folders, found the archive {packed[0]}{count}; unpack it into "
            f"{root / stem}/ or move it elsewhere."
        )


def _require_different_looks(root: Path, names: Iterable[str]) -> None:
    """Refuse two folders whose names only differ in how Unicode writes them, or in spaces.

    Raises:
        DataError: When there are two; says in which code points they differ.
    """
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(_look(name), name)
        if other != name:
            raise DataError(
                f"{root}: expected class folders with different names, found {other!r} and {name!r}, which look the "
                f"same ({differing(other, name)}); move the images of one into the other."
            )


def closest(name: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that differs from `name` only in what is hard to see: accents, case, spaces."""
    return next((other for other in names if _look(other).casefold() == _look(name).casefold()), None)


def differing(one: str, other: str) -> str:
    r"""Say in which code points two texts differ.

    Example:
        >>> differing("caf\u00e9", "cafe\u0301")
        'U+00E9 and U+0065 U+0301'
    """
    start = _shared(one, other)
    end = _shared(one[start:][::-1], other[start:][::-1])
    parts = (text[start : len(text) - end] for text in (one, other))
    return " and ".join(" ".join(f"U+{ord(char):04X}" for char in part) or "nothing" for part in parts)


def _shared(one: str, other: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _look(name: str) -> str:
    """Return what is seen of a name: one way of writing accents, no invisible characters, no outer or double spaces."""
    composed = unicodedata.normalize("NFKC", name)
    return " ".join("".join(char for char in composed if unicodedata.category(char) != "Cf").split())
