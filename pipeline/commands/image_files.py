"""Finds the image files that paths on a command line mean, and reads them one by one."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alexnet_tf.data.images import SUFFIXES, ImageRejected
from alexnet_tf.errors import AlexNetError
from components.sources.files import OTHER_IMAGES, find_files, suffix


@dataclass(frozen=True)
class Unreadable:
    """A file that gave no image, and why in a few words."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Found:
    """What paths mean.

    Attributes:
        files: To be read, each once.
        unreadable: Paths that do not exist, and folders that cannot be listed or have no image.
        skipped: Images in folders whose names say that their format is not read.
    """

    files: list[Path]
    unreadable: list[Unreadable]
    skipped: list[Path]

    @property
    def num_asked(self) -> int:
        """Files and paths that get an answer."""
        return len(self.files) + len(self.unreadable)

    def skipped_note(self) -> str:
        """Say in a sentence what was skipped, or nothing."""
        if not self.skipped:
            return ""
        kinds = Counter(suffix(path.name) for path in self.skipped).most_common()
        return (
            f"skipped {len(self.skipped)} images whose format is not read "
            f"({', '.join(f'{count} {kind}' for kind, count in kinds)}), such as {self.skipped[0]}; save them as JPEG"
        )


def image_files(paths: Iterable[Path]) -> Found:
    """Find the files that are meant: files as given, of folders all images below them, in order of name.

    Args:
        paths: Files, which are taken whatever their suffix, and folders, in which hidden files and files that are not
            named like images are passed over.

    Raises:
        AlexNetError: There is nothing to read, and no path that could not be read.
    """
    found: dict[Path, None] = {}
    unreadable: list[Unreadable] = []
    skipped: list[Path] = []
    empty: list[Path] = []
    asked = list(paths)
    for path in asked:
        if os.path.isdir(path):
            try:
                images, ignored = find_files(path)
            except OSError as error:
                unreadable.append(Unreadable(path, f"cannot be listed ({error.strerror})"))
                continue
            found |= dict.fromkeys(path / name for name in images)
            empty += [] if images else [path]
            skipped += [path / each.name for each in ignored if suffix(each.name) in OTHER_IMAGES]
        elif os.path.lexists(path):
            found[path] = None
        else:
            unreadable.append(Unreadable(path, "does not exist; expected an image file or a folder of them"))
    if not found and not unreadable:
        names = ", ".join(str(path) for path in asked)
        raise AlexNetError(
            f"{names}: no image file in it or below; "
            + (Found([], [], skipped).skipped_note() or f"looked for names that end in {', '.join(sorted(SUFFIXES))}")
        )
    unreadable += [Unreadable(path, "no image file in it or below") for path in empty]
    return Found(list(found), unreadable, skipped)


def batches(
    files: Iterable[Path], prepare: Callable[[bytes], np.ndarray], *, batch_size: int, max_bytes: int
) -> Iterator[tuple[list[Path], np.ndarray, list[Unreadable]]]:
    """Read files and yield batches of what could be read, and what could not.

    Args:
        files: In any number; one batch is in memory at a time.
        prepare: From a file's bytes to an image; raises `ImageRejected`.
        batch_size: Images of a batch.
        max_bytes: A larger file is not read.

    Yields:
        The files of the batch, their images (n, S, S, 3), and the unreadable files met on the way.
    """
    read: list[Path] = []
    images: list[np.ndarray] = []
    unreadable: list[Unreadable] = []
    for path in files:
        try:
            if not path.is_file():  # a pipe or a device would be waited on for ever
                raise ImageRejected("not a regular file")
            if (size := path.stat().st_size) > max_bytes:
                raise ImageRejected(f"too large a file ({size:,} bytes, at most {max_bytes:,} are read)")
            images.append(prepare(path.read_bytes()))
            read.append(path)
        except (ImageRejected, OSError) as error:
            reason = error.reason if isinstance(error, ImageRejected) else error.strerror or str(error)
            if (kind := suffix(path.name)) in OTHER_IMAGES:
                reason += f"; {kind} is not read, save it as JPEG"
            unreadable.append(Unreadable(path, reason))
        if len(read) == batch_size:
            yield read, np.stack(images), unreadable
            read, images, unreadable = [], [], []
    if read or unreadable:
        yield read, np.stack(images) if images else np.empty((0,)), unreadable
