"""Finds the image files that paths on a command line mean, and reads them one by one."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alexnet_tf.data.images import SUFFIXES
from alexnet_tf.errors import AlexNetError, ConfigError


@dataclass(frozen=True)
class Unreadable:
    """A file that gave no image, and why in a few words."""

    path: Path
    reason: str


def image_files(paths: Iterable[Path]) -> list[Path]:
    """List the files that are meant: files as given, of folders all images below them, in order of name.

    Args:
        paths: Files, which are taken whatever their suffix, and folders, in which hidden files and other
            suffixes than those of images are passed over.

    Raises:
        ConfigError: A path does not exist.
        AlexNetError: There is no image at all.
    """
    found: dict[Path, None] = {}
    asked = list(paths)
    for path in asked:
        if path.is_dir():
            inside = (each for each in path.rglob("*") if each.suffix.lower() in SUFFIXES and each.is_file())
            visible = (each for each in inside if not any(part[0] == "." for part in each.relative_to(path).parts))
            found |= dict.fromkeys(sorted(visible))
        elif path.exists():
            found[path] = None
        else:
            raise ConfigError(f"{path} does not exist; expected an image file or a folder of them")
    if not found:
        names = ", ".join(str(path) for path in asked)
        raise AlexNetError(
            f"{names}: no image file in it or below; looked for names that end in {', '.join(sorted(SUFFIXES))}"
        )
    return list(found)


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
    from alexnet_tf.data.images import ImageRejected

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
            unreadable.append(Unreadable(path, reason))
        if len(read) == batch_size:
            yield read, np.stack(images), unreadable
            read, images, unreadable = [], [], []
    if read or unreadable:
        yield read, np.stack(images) if images else np.empty((0,)), unreadable
