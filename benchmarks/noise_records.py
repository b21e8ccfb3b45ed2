"""Records of noise, in the layout of the stage preprocess: what an input pipeline reads when pixels do not matter."""

import hashlib
import json
from pathlib import Path

import numpy as np

from alexnet_tf.record_split import INDEX
from alexnet_tf.records import ShardWriter, encode_example, feature_offset

CLASSES = 1000
SIZE = 256  # pixels (§2)


def write_records(folder: Path, count: int) -> None:
    """Write `count` images of noise as the stage preprocess stores them, 512 a shard."""
    generator, index, shards = np.random.default_rng(0), np.zeros(count, INDEX), []
    noise = generator.integers(0, 256, 2 * SIZE * SIZE * 3, np.uint8)
    for shard in range(-(-count // 512)):
        with ShardWriter(folder / f"train-{shard:05d}.tfrecord") as writer:
            for n in range(shard * 512, min(count, shard * 512 + 512)):
                start = int(generator.integers(0, SIZE * SIZE * 3))
                pixels = noise[start : start + SIZE * SIZE * 3].tobytes()
                example = encode_example({"image/raw": pixels, "image/label": n % CLASSES})
                offset = writer.write(example) + feature_offset(example, "image/raw")
                index[n] = (shard, offset, len(pixels), n % CLASSES, SIZE, SIZE)
        shards.append(vars(writer.info))
    np.save(folder / "train.index.npy", index)
    digest = hashlib.sha256((folder / "train.index.npy").read_bytes()).hexdigest()
    split = {"num_examples": count, "shards": shards, "index_sha256": digest}
    manifest = {"size": SIZE, "stored_size": SIZE, "encoding": "raw", "splits": {"train": split}}
    manifest["class_names"] = [f"class {n}" for n in range(CLASSES)]
    (folder / "manifest.json").write_text(json.dumps(manifest))
