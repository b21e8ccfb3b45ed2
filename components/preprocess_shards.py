"""What the workers of the stage preprocess do: index a shard of the data set, write one of the records."""

import hashlib
from dataclasses import dataclass
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
    read_record,
)
from alexnet_tf.errors import DataError
from components.beam.worker import COUNTERS

# A SHA-256 as four big-endian numbers, so that their order is that of the digest; and where the record is.
PLACE = np.dtype([("digest", ">u8", 4), ("file", np.int32), ("offset", np.int64)])


@dataclass(frozen=True)
class IndexTask:
    """Find the keys of one shard of the data set; the answer goes to `places`."""

    shard: str
    file: int  # the shard's position in the data set's list
    seed: int
    places: str


@dataclass(frozen=True)
class ShardTask:
    """Write one shard of the records, from the slice [start, stop) of the ordered places in a file."""

    dataset: str
    places: str
    files: str  # names of the data set's shards, one a line
    start: int
    stop: int
    record: str  # the file to write
    shard: int  # its position among the split's shards
    parts: str  # beginning of the names of `.index.npy` and `.keys.txt` of this shard
    stored_size: int
    encoding: Literal["raw", "jpeg"]
    jpeg_quality: int
    max_pixels: int
    num_classes: int


def index_shard(task: IndexTask) -> int:
    """Write the `PLACE` of every record of a shard and return their number; no pixel is kept."""
    places = []
    for offset, payload in indexed_records(Path(task.shard)):
        key = _key(payload, f"{task.shard}, record at byte {offset}")
        digest = hashlib.sha256(f"{task.seed}/{key}".encode()).digest()
        places.append((np.frombuffer(digest, ">u8"), task.file, offset))
    save_npy(Path(task.places), np.array(places, PLACE))
    return len(places)


def write_shard(task: ShardTask) -> dict[str, Any]:
    """Decode, square and write a slice of the images; return what the manifest says of it."""
    # Not .npy: NumPy parses its header as Python, which fails now and then in threads of CPython 3.11.2 (gh-106905).
    places = np.fromfile(task.places, PLACE, task.stop - task.start, offset=task.start * PLACE.itemsize)
    files = [Path(task.dataset, name) for name in Path(task.files).read_text(encoding="utf-8").splitlines()]
    rows, keys, rejected = [], [], []
    feature = FEATURES[task.encoding]
    with ShardWriter(Path(task.record)) as writer:
        for file, offset in zip(places["file"].tolist(), places["offset"].tolist(), strict=True):
            payload = read_record(files[file], offset)
            where = f"{files[file]}, record at byte {offset}"
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
    save_npy(Path(f"{task.parts}.index.npy"), np.array(rows, INDEX))
    Path(f"{task.parts}.keys.txt").write_text("".join(f"{key}\n" for key in keys), encoding="utf-8")
    counters = {"images": len(rows), "rejected": len(rejected), "bytes": writer.info.bytes}
    return {"shard": vars(writer.info), "rejected": rejected, "software": software(), COUNTERS: counters}


def join_parts(records: Path, split: str, parts: list[str]) -> str:
    """Write a split's index and keys from those that `write_shard` left; return the SHA-256 of the index."""
    index = np.concatenate([np.empty(0, INDEX), *(np.load(f"{part}.index.npy") for part in parts)])
    path = records / f"{split}.index.npy"
    save_npy(path, index)
    with (records / f"{split}.keys.txt").open("w", encoding="utf-8") as keys:
        for part in parts:
            keys.write(Path(f"{part}.keys.txt").read_text(encoding="utf-8"))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def software() -> dict[str, str | None]:
    """Return the versions on which the pixels depend; the stage compares those of all workers."""
    return {
        "pillow": PIL.__version__,
        "libjpeg": features.version("libjpeg_turbo") or features.version("jpg"),
    }


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


def _key(payload: bytes, where: str) -> str:
    """Return the key of an example of the data set; that the rest is as it should be is not asked."""
    try:
        start, end = feature_span(payload, "key")
    except KeyError:
        return _parsed(payload, where)[0]  # which says what is missing
    return _one_line(payload[start:end], where)


def _one_line(key: bytes, where: str) -> str:
    name = key.decode(errors="backslashreplace")
    if "\n" in name:
        raise DataError(f"{where}: expected a key on one line, found {name!r}; rename the file.")
    return name
