"""Which files a source reads, without reading them: whether it has changed is seen by names, sizes and times alone."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from components.sources.files import HIDDEN, MANUAL_FOLDERS, find_files
from components.sources.image_folder import FOLDERS
from components.sources.imagenet2012 import DATA_FOLDERS, TRAIN_TAR, VALIDATION_TAR, has_folders, has_tars
from components.sources.imagenet2012_labels import ANNOTATIONS, SOLUTION
from components.sources.tfds import find_prepared
from components.sources.tiny_imagenet import find_place
from components.sources.wordnet import WORD_FILES


class SourceListing(NamedTuple):
    """The files of a source, at one moment.

    Attributes:
        num_files: How many.
        num_bytes: Of all.
        digest: SHA-256 over path, bytes and time of the last change of each, in hexadecimal. The paths are relative, so
            that a folder that was moved has the digest that it had.
    """

    num_files: int
    num_bytes: int
    digest: str


def listing(source: str, folder: Path) -> SourceListing | None:
    """List the files of a source; None where there are none, as in a folder that no disk is mounted on.

    Args:
        source: `image_folder`, `imagenet2012`, `tiny_imagenet` or `tfds:NAME`.
        folder: Where it is.

    Raises:
        OSError: A folder cannot be listed.
        DataError: A set of tensorflow-datasets has several configurations there.
    """
    total, num_files, num_bytes = hashlib.sha256(), 0, 0
    for path in sorted(_paths(source, folder)):
        try:
            status = os.stat(f"{folder}/{path}")
        except OSError:  # a link that leads nowhere is a file that cannot be read, to `download` too
            status = os.lstat(f"{folder}/{path}")
        total.update(os.fsencode(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n"))
        num_files += 1
        num_bytes += status.st_size
    return SourceListing(num_files, num_bytes, total.hexdigest()) if num_files else None


def _paths(source: str, folder: Path) -> set[str]:
    """Name the files, relative to `folder`."""
    if source == "image_folder":
        splits = [name for names in FOLDERS.values() for name in names if (folder / name).is_dir()]
        return {*_below(folder, splits or [""]), *_there(folder, WORD_FILES)}
    if source == "imagenet2012":
        return set(_imagenet2012(folder))
    found = find_prepared(source.removeprefix("tfds:"), folder)
    if found is None and source == "tiny_imagenet":
        found = find_place(folder)
    if found is None:
        return set()
    inside = os.path.relpath(found, folder)
    return {inside} if found.is_file() else set(_below(folder, [inside]))


def _imagenet2012(folder: Path) -> Iterator[str]:
    for end in DATA_FOLDERS:
        if has_folders(folder / end):
            splits = [_joined(end, split) for split in ("train", "val")]
            around = ["", end, _joined(end, "../.."), _joined(end, "../../..")]
            annotations = {_joined(place, part, ANNOTATIONS) for place in around for part in ("", "ILSVRC")}
            yield from _below(folder, splits + [place for place in annotations if (folder / place).is_dir()])
            yield from _beside(folder, around)
            return
    for end in MANUAL_FOLDERS:
        if has_tars(folder / end):
            yield from (_joined(end, name) for name in (TRAIN_TAR, VALIDATION_TAR))
            yield from _beside(folder, ["", end])
            return


def _beside(folder: Path, places: Iterable[str]) -> Iterator[str]:
    return _there(folder, [_joined(place, name) for place in places for name in (*WORD_FILES, SOLUTION)])


def _joined(*parts: str) -> str:
    return os.path.normpath(os.path.join(*parts))


def _below(folder: Path, parts: Iterable[str]) -> Iterator[str]:
    for part in parts:
        images, ignored = find_files(folder / part)
        seen = (name for name, reason in ignored if reason != HIDDEN)  # which programs write at any time
        yield from (os.path.join(part, name) for name in (*images, *seen))


def _there(folder: Path, names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if (folder / name).is_file())
