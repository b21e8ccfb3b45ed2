"""Which files of a test this process has open; their total changes, as libraries open and close some in threads."""

import os
from contextlib import suppress
from pathlib import Path


def open_below(folder: Path) -> list[Path]:
    """Name the files below a folder that this process has open."""
    targets = []
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of the list itself
            targets.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
    return [target for target in targets if target.is_relative_to(folder.resolve())]
