"""Records in the layout of the stage preprocess, without that stage: of noise, for what reads them, or as given."""

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from alexnet_tf.data.pixel_codec import FEATURES
from alexnet_tf.data.record_dataset import INDEX
from alexnet_tf.data.tfrecord import ShardWriter, encode_example, feature_span

CLASSES = 1000
SIZE = 256  # pixels (§2)


def write_records(folder: Path, count: int, *, size: int = SIZE, classes: int = CLASSES) -> None:
    """Write `count` images of noise as the stage preprocess stores them, of `size` pixels a side."""
    generator, length = np.random.default_rng(0), size * size * 3
    noise = generator.integers(0, 256, 2 * length, np.uint8)
    starts = (int(generator.integers(0, length)) for _ in range(count))
    stored = (noise[start : start + length].tobytes() for start in starts)
    write_split(folder, count, stored, encoding="raw", size=size, classes=classes)


def write_split(
    folder: Path, count: int, stored: Iterator[bytes], *, encoding: str, size: int, classes: int = CLASSES
) -> None:
    """Write `count` encoded images as the split "train", 512 a shard; image n has label n % classes."""
    index, shards, feature = np.zeros(count, INDEX), [], FEATURES[encoding]
    for shard in range(-(-count // 512)):
        with ShardWriter(folder / f"train-{shard:05d}.tfrecord") as writer:
            for n, pixels in enumerate(islice(stored, 512), start=shard * 512):
                example = encode_example({feature: pixels, "image/label": n % classes})
                offset = writer.write(example) + feature_span(example, feature)[0]
                index[n] = (shard, offset, len(pixels), n % classes, size, size)
        shards.append(vars(writer.info))
    np.save(folder / "train.index.npy", index)
    digest = hashlib.sha256((folder / "train.index.npy").read_bytes()).hexdigest()
    split = {"num_examples": count, "shards": shards, "index_sha256": digest, "source_digest": ""}
    manifest = {"size": size, "stored_size": size, "encoding": encoding, "splits": {"train": split}}
    manifest["class_names"] = [f"class {n}" for n in range(classes)]
    (folder / "manifest.json").write_text(json.dumps(manifest))
