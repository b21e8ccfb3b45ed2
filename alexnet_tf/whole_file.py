"""Files that are there whole or not at all: written beside their place, then renamed into it."""

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

TEMPORARY = ".tmp-"
"""Begins the name of a file that is not whole yet. A process that is killed leaves one; whoever owns the folder calls
`remove_unfinished` before it writes there again."""


@contextlib.contextmanager
def whole_file(path: Path, *, sync: bool = False, buffering: int = -1) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its place at the end of the `with` block, and leaves nothing if that raises.

    Args:
        path: Where to; an earlier file is replaced.
        sync: Flush to the disk first, so that the file is also whole after a power cut.
        buffering: In bytes, as `open` takes it.

    Raises:
        OSError: The disk or its rights do not allow it.
    """
    temporary = path.with_name(TEMPORARY + secrets.token_hex(8))  # short: the name itself may be as long as names get
    try:
        with temporary.open("xb", buffering=buffering) as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file at once; text as UTF-8.

    Raises:
        OSError: As of `whole_file`.
    """
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def write_json(path: Path, value: Any) -> None:
    """Write JSON at once, of equal bytes for equal values.

    Raises:
        OSError: As of `whole_file`.
        ValueError: A number is not finite, for which JSON has no word.
    """
    write_whole(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


def remove_unfinished(folder: Path) -> None:
    """Remove from a folder, in which nobody else writes now, the files that killed processes did not finish."""
    for left in folder.glob(f"{TEMPORARY}*"):
        left.unlink(missing_ok=True)
