"""Zip files of our own bytes: those of `numpy.savez` differ between Python 3.11.2 and 3.11.7, as `zipfile` does."""

import io
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

_VERSION = 20  # 2.0 of the format, which every reader knows
_UNIX = 3 << 8  # on whatever system
_TIME, _DATE = 0, 1 << 5 | 1  # 1980-01-01, the first that the format can say
_STORED = 0  # deflating gives other bytes with another zlib
_RIGHTS = 0o600 << 16
_MAX_BYTES = 2**32 - 1


def write_zip(path: Path, members: Mapping[str, bytes]) -> None:
    """Write files into a zip file, sorted by name, not compressed; equal bytes for equal members.

    Args:
        path: Where to.
        members: Content by name, in ASCII; less than 4 GiB and 65,536 files in all.

    Raises:
        ValueError: There is more than that.
    """
    if len(members) > 2**16 - 1 or sum(map(len, members.values())) + 1000 * len(members) > _MAX_BYTES:
        raise ValueError(f"{path}: expected less than 4 GiB in less than 65,536 files, found more; write several files")
    directory = b""
    with path.open("wb") as file:
        for name, content in sorted(members.items()):
            encoded, size = name.encode("ascii"), len(content)
            shared = struct.pack(
                "<HHHHHIIIHH", _VERSION, 0, _STORED, _TIME, _DATE, zlib.crc32(content), size, size, len(encoded), 0
            )
            directory += b"PK\x01\x02" + struct.pack("<H", _UNIX | _VERSION) + shared
            directory += struct.pack("<HHHII", 0, 0, 0, _RIGHTS, file.tell()) + encoded
            file.write(b"PK\x03\x04" + shared + encoded)
            file.write(content)
        end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), file.tell(), 0)
        file.write(directory + b"PK\x05\x06" + end)


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name as `numpy.savez` does, for `numpy.load`, in a zip file of our own bytes."""
    members = {}
    for name, array in arrays.items():
        content = io.BytesIO()
        np.lib.format.write_array(content, array, version=(1, 0), allow_pickle=False)
        members[f"{name}.npy"] = content.getvalue()
    write_zip(path, members)
