"""What the workers of the stage preprocess do: write a shard of the records from those of the data set."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
import PIL
from PIL import features

from alexnet_tf.data.images import ImageRejected, decode, to_square
from alexnet_tf.data.npy_file import save_npy
from alexnet_tf.data.pixel_codec import FEATURES, encode_pixels
from alexnet_tf.data.record_dataset import INDEX
from alexnet_tf.data.tfrecord import (
    ShardWriter,
    decode_example,
    encode_example,
    feature_span,
    indexed_records,
)
from alexnet_tf.errors import DataError
from components.beam.worker import COUNTERS


@dataclass(frozen=True)
class Piece:
    """Records [start, stop) of a shard of the data set, of whose `count` they are a part."""

    path: str
    start: int
    stop: int
    count: int


@dataclass(frozen=True)
class ShardTask:
    """Write one shard of the records, from pieces of the data set's shards."""

    pieces: tuple[Piece, ...]
    record: str  # the file to write
    shard: int  # its position among the split's shards
    parts: str  # beginning of the names of `.index.npy` and `.keys.txt` of this shard
    stored_size: int
    encoding: Literal["raw", "jpeg"]
    jpeg_quality: int
    max_pixels: int
    num_classes: int


def write_shard(task: ShardTask) -> dict[str, Any]:
    """Decode, square and write a slice of the images; return what the manifest says of it."""
    rows, keys, rejected, sources = [], [], [], []
    feature = FEATURES[task.encoding]
    with ShardWriter(Path(task.record)) as writer:
        for where, payload in chain.from_iterable(map(_records, task.pieces)):
            key, label, encoded = _parsed(payload, where)
            if not 0 <= label < task.num_classes:
                expected = f"expected a label of 0..{task.num_classes - 1}"
                raise DataError(f"{where}, key {key}: {expected}, found {label}; run the stage download again.")
            try:
                image = decode(encoded, max_pixels=task.max_pixels)
                square = to_square(image, task.stored_size)
            except ImageRejected as error:
                rejected.append([key, error.reason])
                continue
            width, height = image.size
            pixels = encode_pixels(square, encoding=task.encoding, jpeg_quality=task.jpeg_quality)
            example = encode_example(
                {
                    feature: pixels,
                    "image/key": key,
                    "image/label": label,
                    "image/height": height,
                    "image/width": width,
                }
            )
            stored_at = writer.write(example) + feature_span(example, feature)[0]
            rows.append((task.shard, stored_at, len(pixels), label, height, width))
            keys.append(key)
            sources.append(hashlib.sha256(payload).hexdigest())
    save_npy(Path(f"{task.parts}.index.npy"), np.array(rows, INDEX))
    Path(f"{task.parts}.keys.txt").write_text("".join(f"{key}\n" for key in keys), encoding="utf-8")
    counters = {"images": len(rows), "rejected": len(rejected), "bytes": writer.info.bytes}
    return {
        "shard": vars(writer.info),
        "source_digest": source_digest(sources),
        "rejected": rejected,
        "software": software(),
        COUNTERS: counters,
    }


def source_digest(digests: Iterable[str]) -> str:
    """Return the sum of digests modulo 2**256, in hexadecimal: the same in any order and any partition."""
    return f"{sum(int(digest, 16) for digest in digests) % 2**256:064x}"


def join_parts(records: Path, split: str, parts: list[str]) -> str:
    """Write a split's index and keys from those that `write_shard` left; return the SHA-256 of the index.

    Raises:
        DataError: Two images have one key.
    """
    index = np.concatenate([np.empty(0, INDEX), *(np.load(f"{part}.index.npy") for part in parts)])
    path = records / f"{split}.index.npy"
    save_npy(path, index)
    keys_path = records / f"{split}.keys.txt"
    with keys_path.open("w", encoding="utf-8") as keys:
        for part in parts:
            keys.write(Path(f"{part}.keys.txt").read_text(encoding="utf-8"))
    with keys_path.open(encoding="utf-8", newline="\n") as keys:
        digests = np.fromiter(map(_digest, keys), np.uint64, len(index))
    if len(np.unique(digests)) < len(digests):
        raise DataError(f"{keys_path}: two images of the split {split} have one key; run the stage download again.")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])


def software() -> dict[str, str | None]:
    """Return the versions on which the pixels depend; the stage compares those of all workers."""
    return {
        "pillow": PIL.__version__,
        "libjpeg": features.version("libjpeg_turbo") or features.version("jpg"),
    }


def _records(piece: Piece) -> Iterator[tuple[str, bytes]]:
    """Yield where a record is, and its payload."""
    found, again = piece.start, "run the stage download again"
    for offset, payload in indexed_records(Path(piece.path), skip=piece.start):
        if found == piece.stop:
            if piece.stop < piece.count:
                return
            raise DataError(f"{piece.path}: expected {piece.count} images, found more; {again}.")
        yield f"{piece.path}, record at byte {offset}", payload
        found += 1
    if found < piece.stop:
        expected = f"expected {piece.count} images"
        raise DataError(f"{piece.path}: {expected}, found {found if found > piece.start else 'fewer'}; {again}.")


def _parsed(payload: bytes, where: str) -> tuple[str, int, bytes]:
    """Return key, label and encoded image of an example of the data set."""
    example = decode_example(payload)
    try:
        key, label, encoded = example["key"], example["label"], example["image"]
    except KeyError as error:
        found = ", ".join(example)
        message = f"{where}: expected image, label and key, found {found}; run the stage download again."
        raise DataError(message) from error
    if not (isinstance(key, bytes) and isinstance(label, int) and isinstance(encoded, bytes)):
        raise DataError(f"{where}: expected one image, one label and one key; run the stage download again.")
    return _one_line(key, where), label, encoded


def _one_line(key: bytes, where: str) -> str:
    name = key.decode(errors="backslashreplace")
    if "\n" in name:
        raise DataError(f"{where}: expected a key on one line, found {name!r}; rename the file.")
    return name
