"""Outputs that are there whole or not at all: written beside their place, then renamed into it."""

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from alexnet_tf.errors import AlexNetError
from alexnet_tf.whole_file import write_whole


def partial(path: Path) -> Path:
    """Name what is written until it is whole."""
    return path.with_name(f".{path.name}.partial")


def write_text(path: Path, text: str) -> None:
    """Write a text file at once, and the folder above it where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)


def _replaced(path: Path) -> Path:
    return path.with_name(f".{path.name}.replaced")


def prepare(paths: Iterable[Path]) -> None:
    """Make the parent folders, and clear away what a killed run left there.

    A run that was killed while it renamed leaves an old output under its second name; it gets its place back.

    Raises:
        AlexNetError: An output is a link to a folder, which `commit` could not replace.
    """
    for path in paths:
        if path.is_symlink() and path.is_dir():
            raise AlexNetError(
                f"{path}: expected a folder of the stage's own or nothing, found a link to {path.resolve()}; remove it "
                f"(`rm {path}`), and keep large outputs on another disk with `dvc cache dir --local FOLDER` and "
                "`dvc config --local cache.type symlink`"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        remove(partial(path))
        if not path.exists() and _replaced(path).exists():
            os.rename(_replaced(path), path)
        remove(_replaced(path))


def missing(outputs: Mapping[str, Path]) -> list[str]:
    """Name the fields whose partial output was not written."""
    return [name for name, path in outputs.items() if not partial(path).exists()]


def commit(paths: Iterable[Path]) -> None:
    """Rename every partial output into its place; what was there goes only after that."""
    paths = list(paths)
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            os.rename(path, _replaced(path))
        os.replace(partial(path), path)
    for path in paths:
        remove(_replaced(path))


def discard(paths: Iterable[Path]) -> None:
    """Remove partial outputs, as far as that goes."""
    for path in paths:
        with contextlib.suppress(OSError):
            remove(partial(path))


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
