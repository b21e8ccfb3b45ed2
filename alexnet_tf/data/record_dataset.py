"""One split of the prepared records, read at random from disk: memory does not grow with the data set.

A records folder holds, per split, shards of `tf.train.Example` messages (`alexnet_tf.data.tfrecord`), an index with
the place of every image's pixels, and the keys; `manifest.json` names and sizes them all.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from alexnet_tf.data.pixel_codec import CHANNELS, FEATURES, decode_pixels
from alexnet_tf.errors import DataError

INDEX = np.dtype(
    [
        ("shard", np.int32),  # position in the manifest's list of shards
        ("offset", np.int64),  # of the stored pixels, in bytes from the start of the shard file
        ("length", np.int32),  # of the stored pixels, in bytes
        ("label", np.int32),
        ("height", np.int32),  # of the original image, in pixels
        ("width", np.int32),
    ]
)

_MANIFEST_KEYS = {
    "download": ("source", "splits", "class_names", "unreadable", "ignored"),
    "preprocess": ("splits", "class_names", "size", "stored_size", "encoding"),
}
_SPLIT_KEYS = {
    "download": ("num_examples", "shards"),
    "preprocess": ("num_examples", "shards", "source_digest", "index_sha256"),
}
_SHARD_KEYS = ("file", "num_examples", "bytes", "sha256")


def read_manifest(folder: Path, *, stage: str = "preprocess") -> dict[str, Any]:
    """Read the `manifest.json` of a folder that a stage wrote.

    Raises:
        DataError: When it is missing, no JSON, or not that of the stage.
    """
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(
            f"{path} does not exist, expected the data of the stage {stage}; run that stage first."
        ) from error
    except ValueError as error:
        raise DataError(f"{path}: expected JSON ({error}); run the stage {stage} again.") from error
    if key := _lacking(manifest, stage):
        found = f"found one without {key!r}"
        raise DataError(f"{path}: expected the manifest of the stage {stage}, {found}; run the stage {stage} again.")
    if (found := manifest.get("encoding", "raw")) not in FEATURES:
        raise DataError(f"{path}: expected encoding {' or '.join(FEATURES)}, found {found!r}; run the stage again.")
    return manifest


def _lacking(manifest: Any, stage: str) -> str:
    """Name a key that a manifest, a split or a shard of it lacks, as one of an earlier version may; "" if none does."""

    def first(part: Any, keys: Sequence[str]) -> str:
        return next((key for key in keys if not isinstance(part, dict) or key not in part), "")

    if key := first(manifest, _MANIFEST_KEYS[stage]):
        return key
    splits = manifest["splits"]
    for split in splits.values() if isinstance(splits, dict) else [splits]:
        if key := first(split, _SPLIT_KEYS[stage]):
            return key
        for shard in split["shards"] if isinstance(split["shards"], list) else [split["shards"]]:
            if key := first(shard, _SHARD_KEYS):
                return key
    return ""


@dataclass(frozen=True, eq=False)
class RecordDataset:
    """The images and labels of one split, by position. Threads may share it.

    Attributes:
        num_examples: N.
        labels: (N,) int32, 0..K-1.
        heights: (N,) int32, of the original images, in pixels.
        widths: (N,) int32, likewise.
        class_names: K names; a label is a position here.
        size: Side of the images as training sees them, in pixels.
        stored_size: Side of the images as stored, S pixels.
        encoding: "raw" or "jpeg", see `alexnet_tf.data.pixel_codec`.
        source_digest: Names the raw images that these were made from.
    """

    folder: Path
    split: str
    num_examples: int
    labels: np.ndarray
    heights: np.ndarray
    widths: np.ndarray
    class_names: tuple[str, ...]
    size: int
    stored_size: int
    encoding: str
    source_digest: str
    _files: tuple[str, ...]
    _shards: np.ndarray
    _offsets: np.ndarray
    _lengths: np.ndarray

    @classmethod
    def open(cls, folder: Path, split: str) -> Self:
        """Open a split and check that its files are those of the manifest: index by hash, shards by size.

        Args:
            folder: Written by the stage preprocess.
            split: "train", "validation" or "test".

        Raises:
            DataError: When a file is missing or another than the manifest says.
        """
        manifest = read_manifest(folder)
        if split not in manifest["splits"]:
            known = ", ".join(manifest["splits"])
            raise DataError(f"{folder}: expected a split {split!r}, found {known}; run the stage preprocess again.")
        listed = manifest["splits"][split]
        index_path = folder / f"{split}.index.npy"
        _check_size(index_path, None)
        if (found := hashlib.sha256(index_path.read_bytes()).hexdigest()) != listed["index_sha256"]:
            expected = f"expected SHA-256 {listed['index_sha256'][:12]}…, found {found[:12]}…"
            raise DataError(f"{index_path}: {expected}; run the stage preprocess again.")
        for shard in listed["shards"]:
            _check_size(folder / shard["file"], shard["bytes"])
        index = np.load(index_path)
        if len(index) and not 0 <= index["label"].min() <= index["label"].max() < len(manifest["class_names"]):
            expected = f"expected labels 0 to {len(manifest['class_names']) - 1}, one for each class of manifest.json"
            found = f"found {index['label'].min()} to {index['label'].max()}"
            raise DataError(f"{index_path}: {expected}, {found}; run the stage preprocess again.")
        return cls(
            folder=folder,
            split=split,
            num_examples=len(index),
            # Contiguous copies: a view would keep the whole index alive, and is slower to gather from.
            **{f"{name}s": np.ascontiguousarray(index[name]) for name in ("label", "height", "width")},
            class_names=tuple(manifest["class_names"]),
            size=manifest["size"],
            stored_size=manifest["stored_size"],
            encoding=manifest["encoding"],
            source_digest=listed["source_digest"],
            _files=tuple(str(folder / shard["file"]) for shard in listed["shards"]),
            _shards=np.ascontiguousarray(index["shard"]),
            _offsets=np.ascontiguousarray(index["offset"]),
            _lengths=np.ascontiguousarray(index["length"]),
        )

    def keys(self) -> list[str]:
        """Return the N keys, in order.

        Raises:
            DataError: When their file is missing or damaged, or holds another number of them.
        """
        path = self.folder / f"{self.split}.keys.txt"
        _check_size(path, None)
        try:
            keys = path.read_text(encoding="utf-8").split("\n")[:-1]
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: expected UTF-8 text ({error}); run the stage preprocess again.") from error
        if len(keys) != self.num_examples:
            raise DataError(
                f"{path}: expected {self.num_examples} keys, found {len(keys)}; run the stage preprocess again."
            )
        return keys

    def read(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Read images by position, in any order, with repeats.

        The file system's cache is the only cache. The interpreter lock is free while bytes are copied and while
        JPEGs are decoded, by a pool of threads. Files are opened per call: a large data set has more shards than
        a process may keep open.

        Args:
            indices: (B,) integers, 0..N-1.

        Returns:
            (B, S, S, 3) uint8.

        Raises:
            IndexError: When a position is out of range.
            DataError: When a shard is cut short or gone, or a JPEG in it is damaged.
        """
        chosen = np.asarray(indices, dtype=np.int64)
        if (chosen < 0).any():  # which NumPy would count from the end
            raise IndexError(f"expected positions of 0 to {self.num_examples - 1}, found {chosen.min()}")
        shards, offsets = self._shards[chosen], self._offsets[chosen]
        images = np.empty((len(chosen), self.stored_size, self.stored_size, CHANNELS), np.uint8)
        by_shard = np.argsort(shards, kind="stable")
        starts = np.flatnonzero(np.diff(shards[by_shard], prepend=-1))
        stored = list(images) if self.encoding == "raw" else [np.empty(n, np.uint8) for n in self._lengths[chosen]]
        for group in np.split(by_shard, starts[1:]) if len(chosen) else ():
            self._read_shard(int(shards[group[0]]), group.tolist(), offsets, stored)
        if self.encoding == "raw":
            return images

        def decode(row: int) -> None:
            try:
                images[row] = decode_pixels(stored[row].tobytes(), encoding=self.encoding, size=self.stored_size)
            except ValueError as error:
                where = f"{self._files[shards[row]]}, byte {offsets[row]}"
                raise DataError(f"{where}: {error}; run the stage preprocess again.") from error

        with ThreadPoolExecutor() as pool:
            list(pool.map(decode, range(len(chosen))))
        return images

    def _read_shard(self, shard: int, rows: Iterable[int], offsets: np.ndarray, stored: list[Any]) -> None:
        path = self._files[shard]
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError as error:
            raise DataError(f"{path} has gone since it was opened; run the stage preprocess again.") from error
        try:
            for row in rows:
                count = os.preadv(descriptor, [stored[row]], int(offsets[row]))
                if count != stored[row].nbytes:
                    expected = f"expected {stored[row].nbytes} bytes at {offsets[row]}, found {count}"
                    raise DataError(f"{path}: {expected}; run the stage preprocess again.")
        finally:
            os.close(descriptor)


def _check_size(path: Path, num_bytes: int | None) -> None:
    if not path.is_file():
        raise DataError(f"{path} does not exist, but manifest.json names it; run the stage preprocess again.")
    if num_bytes is not None and (found := path.stat().st_size) != num_bytes:
        raise DataError(f"{path}: expected {num_bytes} bytes, found {found}; run the stage preprocess again.")
