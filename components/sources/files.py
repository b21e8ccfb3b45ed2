"""Finding and reading image files in a folder that may hold anything: links, loops, pipes, foreign files."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = frozenset((".jpeg", ".jpg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"))


def find_files(folder: Path) -> tuple[list[str], list[str]]:
    """List the files below a folder, however deep; links are followed, but not in circles.

    Args:
        folder: Exists.

    Returns:
        Paths relative to `folder` of the image files, by suffix, and of all others; hidden files are in
        neither. A link that leads nowhere counts as a file, and so does an empty folder with an image's name:
        `read_file` says what is wrong with it.

    Raises:
        OSError: When a folder cannot be listed.
    """
    images, others = [], []
    above = tuple(_identity(parent) for parent in folder.resolve().parents)
    for path in _walk(folder, "", above):
        (images if os.path.splitext(path)[1].lower() in SUFFIXES else others).append(path)
    return images, others


def read_file(path: Path) -> tuple[bytes, str]:
    """Return a file's content and "", or nothing and why it cannot be read: it never waits, and never raises OSError.

    A named pipe called x.jpeg would have its reader wait for ever; a device would have it read for ever.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return b"", "no regular file"
        with open(descriptor, "rb") as file:
            return file.read(), ""
    except FileNotFoundError:
        return b"", "a link that leads nowhere" if path.is_symlink() else "gone since it was listed"
    except OSError as error:
        return b"", f"cannot be read ({error.strerror})"


def subfolders(folder: Path) -> list[str]:
    """Name the folders in a folder, sorted, hidden ones left out."""
    return sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith(".") and _is_folder(entry))


def _walk(folder: Path, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
    here = _identity(folder)
    if here in above:
        yield prefix.rstrip("/")  # a link to a folder above it: no image, and said so among the other files
        return
    with os.scandir(folder) as entries:
        listed = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    for entry in listed:
        if _is_folder(entry):
            inside = list(_walk(folder / entry.name, f"{prefix}{entry.name}/", (*above, here)))
            yield from inside or _named_as_image(prefix + entry.name)
        else:
            yield prefix + entry.name


def _named_as_image(folder: str) -> list[str]:
    return [folder] if os.path.splitext(folder)[1].lower() in SUFFIXES else []


def _identity(folder: Path) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False
