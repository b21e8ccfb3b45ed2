"""TFRecord shards of `tf.train.Example` messages, written and read without TensorFlow.

Workers that prepare images must not import TensorFlow (seconds and half a gigabyte per process), and its
`SerializeToString()` gives other bytes in every process. Here equal examples are equal bytes, identical to
TensorFlow's deterministic serialisation, and every shard knows its size and SHA-256 when it is closed.

References:
    The record format is that of `tensorflow/core/lib/io/record_writer.h`, the message that of
    `tensorflow/core/example/{example,feature}.proto`.
"""

import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import google_crc32c

from alexnet_tf.data.tf_example import decode_example, encode_example, feature_span
from alexnet_tf.errors import DataError
from alexnet_tf.whole_file import whole_file

__all__ = [
    "Shard",
    "ShardWriter",
    "decode_example",
    "encode_example",
    "feature_span",
    "indexed_records",
    "read_record",
    "read_shard",
]

_HEADER = struct.Struct("<QI")  # length of the payload, its masked checksum
_FOOTER = struct.Struct("<I")  # masked checksum of the payload
OVERHEAD = _HEADER.size + _FOOTER.size
# Read or written at a time: every call gives up the interpreter lock, which threads then wait to have back.
_BUFFER_BYTES = 1 << 20
_WAY_OUT = "delete the data set and run the stage that writes it again"


@dataclass(frozen=True)
class Shard:
    """What a manifest says of a shard: file name without folder, examples, size in bytes, SHA-256 in hex."""

    file: str
    num_examples: int
    bytes: int
    sha256: str


class ShardWriter:
    """Write one shard so that its name exists only when it is whole.

    Records go to a temporary sibling, which is flushed to disk and renamed at the end of the `with` block,
    or removed if the block raises. A retry or a second writer of the same shard ends in the same bytes.

    Attributes:
        info: The `Shard`, available after the block.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with ShardWriter(folder / "one.tfrecord") as writer:
        ...     writer.write(b"payload")
        12
        >>> writer.info.num_examples, writer.info.bytes
        (1, 23)
    """

    info: Shard

    def __init__(self, path: Path):
        self._path = path
        self._whole = whole_file(path, sync=True, buffering=_BUFFER_BYTES)

    def __enter__(self) -> Self:
        self._file = self._whole.__enter__()
        self._digest = hashlib.sha256()
        self._num_examples = 0
        self._bytes = 0
        return self

    def write(self, payload: bytes) -> int:
        """Append one record and return the byte offset of its payload in the file."""
        length = struct.pack("<Q", len(payload))
        header = length + _FOOTER.pack(_masked_crc(length))
        offset = self._bytes + len(header)
        for part in (header, payload, _FOOTER.pack(_masked_crc(payload))):
            self._file.write(part)
            self._digest.update(part)
        self._bytes += OVERHEAD + len(payload)
        self._num_examples += 1
        return offset

    def __exit__(self, kind, error, trace) -> None:
        self._whole.__exit__(kind, error, trace)
        self.info = Shard(self._path.name, self._num_examples, self._bytes, self._digest.hexdigest())


def read_shard(path: Path) -> Iterator[bytes]:
    """Yield the payloads of a shard in order, each checked against its checksum.

    Raises:
        DataError: When the file is missing, cut short, or a byte of it is wrong; names file and record.
    """
    for _, payload in indexed_records(path):
        yield payload


def indexed_records(path: Path, *, skip: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield (byte offset of the record, payload) in order; `read_record` takes the offset.

    Args:
        path: The file.
        skip: So many records are passed over unread.

    Raises:
        DataError: As `read_shard`.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist, but its manifest names it; run the stage that writes it again.")
    with path.open("rb", buffering=_BUFFER_BYTES) as file:
        size = os.fstat(file.fileno()).st_size
        offset = number = 0
        while offset < size:
            where = f"{path}, record {number} at byte {offset}"
            length = _length(file.read(_HEADER.size), size - offset, where)
            if number < skip:
                file.seek(length + _FOOTER.size, os.SEEK_CUR)
            else:
                yield offset, _checked(file.read(length + _FOOTER.size), length, where)
            offset += OVERHEAD + length
            number += 1


def read_record(path: Path, offset: int) -> bytes:
    """Read the payload of the one record that starts at a byte offset, checked against its checksum.

    The file is opened for each record: a large data set has more files than a process may keep open.

    Args:
        path: The file.
        offset: As `indexed_records` gives it.

    Raises:
        DataError: When there is no whole record with right checksums at this place.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        left = os.fstat(descriptor).st_size - offset
        where = f"{path}, record at byte {offset}"
        length = _length(os.pread(descriptor, _HEADER.size, offset), left, where)
        return _checked(os.pread(descriptor, length + _FOOTER.size, offset + _HEADER.size), length, where)
    finally:
        os.close(descriptor)


def _length(header: bytes, left: int, where: str) -> int:
    """Return how long the payload behind a header is; `left`: the bytes of the file from the header on."""
    if len(header) < _HEADER.size:
        raise DataError(f"{where}: expected {_HEADER.size} bytes of header, found {len(header)}; {_WAY_OUT}.")
    length, length_crc = _HEADER.unpack(header)
    if _masked_crc(header[:8]) != length_crc:
        raise DataError(f"{where}: expected the length to match its checksum, found a damaged header; {_WAY_OUT}.")
    if OVERHEAD + length > left:
        found = f"found {left}: the file is cut short"
        raise DataError(f"{where}: expected {OVERHEAD + length} bytes, {found}; {_WAY_OUT}.")
    return length


def _checked(body: bytes, length: int, where: str) -> bytes:
    """Return the payload of a body, which ends with its checksum."""
    payload = body[:length]
    if _masked_crc(payload) != _FOOTER.unpack_from(body, length)[0]:
        raise DataError(f"{where}: expected the data to match their checksum, found damaged data; {_WAY_OUT}.")
    return payload


def _masked_crc(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
