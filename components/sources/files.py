"""Finding and reading image files in a folder that may hold anything: links, loops, pipes, foreign files."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from alexnet_tf.data.images import SUFFIXES

# Of images that are not read: formats that Pillow could open, and those of phones, cameras and drawing programs.
OTHER_IMAGES = frozenset((
    ".heic", ".heif", ".hif", ".jxl", ".svg", ".psd", ".ai", ".eps", ".ps", ".raw", ".dng", ".cr2", ".cr3", ".nef",
    ".arw", ".orf", ".rw2", ".raf", ".exr", ".hdr", ".dcm", ".nii", ".pfm", ".tga", ".icb", ".vda", ".vst", ".dib",
    ".ico", ".icns", ".cur", ".qoi", ".dds", ".pcx", ".dcx", ".sgi", ".rgb", ".rgba", ".bw", ".ras", ".im", ".msp",
    ".pcd", ".pxr", ".xbm", ".xpm", ".fit", ".fits", ".fli", ".flc", ".blp", ".ftc", ".ftu", ".gbr", ".iim",
    ".wmf", ".emf", ".mpo",
))  # fmt: skip
ARCHIVES = frozenset((".zip", ".tar", ".tgz", ".tbz", ".txz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar"))

# What systems leave beside people's files, as hidden files are: no part of any source.
_SYSTEM = frozenset(("__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"))
_SYSTEM_FILES = frozenset(("Thumbs.db", "desktop.ini"))

# Where an archive may be that was fetched by hand: in a source's folder, or where tensorflow-datasets wants it.
MANUAL_FOLDERS = ("", "downloads/manual", "tfds/downloads/manual")

HIDDEN = "hidden"


class Ignored(NamedTuple):
    """A file or folder that is not used, and why in a few words that are the same for its kind."""

    name: str
    reason: str


def find_files(folder: Path) -> tuple[list[str], list[Ignored]]:
    """List the files below a folder, however deep; links are followed, but not in circles.

    Args:
        folder: Exists.

    Returns:
        Paths relative to `folder` of the image files, by suffix, and what else there is. Hidden folders, and hidden
        files that are named like images, are ignored by name; other hidden files are in neither. A link that leads
        nowhere counts as a file, and so does an empty folder with an image's name: `read_file` says what is wrong
        with it.

    Raises:
        OSError: When a folder cannot be listed.
    """
    return _divided(_walk(folder, "", tuple(_identity(parent) for parent in folder.resolve().parents)))


def loose_files(folder: Path) -> tuple[list[str], list[Ignored]]:
    """List the files that are directly in a folder as `find_files` does, and its hidden folders."""
    entries = _entries(folder)
    here = (entry.name for entry in entries if entry.name.startswith(".") or not _is_folder(entry))
    return _divided((name, _reason(name)) for name in here)


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
    return [entry.name for entry in _entries(folder) if _is_folder(entry) and not entry.name.startswith(".")]


def suffix(name: str) -> str:
    """Return the ending of a file's name that says its format, in lower-case letters: ".jpg"."""
    return os.path.splitext(name)[1].lower()


def _divided(found: Iterable[tuple[str, str]]) -> tuple[list[str], list[Ignored]]:
    """Part files into images, whose reason is "", and what is ignored."""
    listed = [Ignored(*each) for each in found]
    return [each.name for each in listed if not each.reason], [each for each in listed if each.reason]


def _walk(folder: Path, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, str]]:
    """Yield each file and why it is ignored, which is "" for images."""
    here = _identity(folder)
    if here in above:
        yield prefix.rstrip("/"), "a link to a folder above it"
        return
    for entry in _entries(folder):
        path = prefix + entry.name
        if not _is_folder(entry):
            yield path, _reason(entry.name)
        elif entry.name.startswith("."):
            yield path, HIDDEN
        else:
            inside = list(_walk(folder / entry.name, f"{path}/", (*above, here)))
            yield from inside or ([(path, "")] if suffix(path) in SUFFIXES else [])


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """List a folder in the order of names, without what is no part of any source."""
    with os.scandir(folder) as entries:
        listed = [entry for entry in entries if not _of_the_system(entry)]
    return sorted(listed, key=lambda entry: entry.name)


def _of_the_system(entry: os.DirEntry[str]) -> bool:
    name = entry.name
    if _is_folder(entry):
        return name in _SYSTEM
    # "._x.jpg" is what macOS knows of x.jpg on a disk of another system
    return name in _SYSTEM_FILES or name.startswith("._") or (name.startswith(".") and suffix(name) not in SUFFIXES)


def _reason(name: str) -> str:
    ending = suffix(name)
    if name.startswith("."):
        return HIDDEN
    if ending in SUFFIXES:
        return ""
    if ending in ARCHIVES:
        return "an archive that was not unpacked"
    if ending in OTHER_IMAGES:
        return f"an image whose format is not read ({ending})"
    return "not named like an image"


def _identity(folder: Path) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False
