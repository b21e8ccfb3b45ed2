"""Where the files of an uncompressed tar archive are, also of archives within it: read in place, never unpacked."""

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from alexnet_tf.errors import DataError


class Member(NamedTuple):
    """A file in an archive: its name, and the byte range of its content in the outermost archive."""

    name: str
    offset: int
    size: int


def members(path: Path, *, nested: bool = False) -> Iterator[Member]:
    """Yield the files of an archive in its own order, reading their headers alone.

    Args:
        path: A tar file without compression.
        nested: Whether each of its files is a tar file itself; then theirs are yielded, as `inner.tar/name`.

    Raises:
        DataError: When it is no tar file, is cut short, or a name in it leads out of the folder that it would
            be unpacked to.
    """
    with path.open("rb") as file:
        for member in _walk(file, 0, path, ""):
            if not nested:
                yield member
                continue
            for inner in _walk(file, member.offset, path, f"{member.name}, "):
                if inner.offset + inner.size > member.offset + member.size:
                    raise DataError(f"{path}: {member.name} in it is cut short; fetch the archive again.")
                yield inner._replace(name=f"{member.name}/{inner.name}")


def read_member(descriptor: int, member: Member) -> tuple[bytes, str]:
    """Return the content of a file in an archive, or what there is of it and what is wrong."""
    try:
        content = os.pread(descriptor, member.size, member.offset)
    except OSError as error:
        return b"", f"cannot be read ({error.strerror})"
    return content, "" if len(content) == member.size else "the archive is cut short"


def _walk(file: IO[bytes], start: int, path: Path, within: str) -> Iterator[Member]:
    file.seek(start)
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            while (entry := archive.next()) is not None:
                vars(archive)["members"] = []  # which would keep a kilobyte for each of a million files
                place = file.tell()
                if not entry.isfile():
                    continue
                name = PurePosixPath(entry.name)
                if name.is_absolute() or ".." in name.parts:
                    raise DataError(f"{path}: {within}expected names within the archive, found {entry.name!r}.")
                yield Member(str(name), entry.offset_data, entry.size)
                file.seek(place)
            file.seek(archive.offset)
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):  # which would end it; Python asks for none
                raise DataError(f"{path}: {within}the archive is cut short; fetch it again.")
    except tarfile.TarError as error:
        raise DataError(
            f"{path}: {within}expected a whole tar file without compression ({error}); fetch it again."
        ) from error
