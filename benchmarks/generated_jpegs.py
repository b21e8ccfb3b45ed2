"""A data set of JPEGs of ImageNet's sizes, as the stage download writes one."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from alexnet_tf.data.tfrecord import ShardWriter, encode_example

DISTINCT, PER_SHARD, CLASSES = 1000, 512, 1000


def make_dataset(folder: Path, images: int) -> None:
    """Write shards and manifest as the stage download does."""
    folder.mkdir()
    pictures = [picture(n) for n in range(min(DISTINCT, images))]
    shards, written = [], 0
    while written < images:
        count = min(PER_SHARD, images - written)
        with ShardWriter(folder / f"dataset-train.tfrecord-{len(shards):05d}") as writer:
            for number in range(written, written + count):
                content = commented(pictures[number % len(pictures)], number)
                key = f"train/{number % CLASSES}/{number}.JPEG"
                writer.write(encode_example({"image": content, "label": number % CLASSES, "key": key}))
        shards.append(vars(writer.info))
        written += count
    splits = {"train": {"num_examples": images, "shards": shards}}
    manifest = {"source": "benchmark", "class_names": [f"class {n}" for n in range(CLASSES)], "splits": splits}
    manifest |= {"unreadable": [], "ignored": {}}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def picture(seed: int) -> bytes:
    """A JPEG with detail at every scale, as photographs have; its size is drawn from ImageNet's."""
    rng = np.random.default_rng(seed)
    width, height = (500, 375) if rng.random() < 0.5 else np.clip(rng.lognormal(6.1, 0.35, 2), 60, 4000).astype(int)
    if rng.random() < 0.25:
        width, height = height, width
    pixels = np.zeros((height, width, 3))
    for scale in (4, 16, 64, 256):
        side = (min(scale, width), min(scale, height))
        noise = Image.fromarray(rng.integers(0, 256, (side[1], side[0], 3), np.uint8))
        pixels += np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC), float) / scale**0.35
    pixels = (pixels - pixels.min()) / (pixels.max() - pixels.min()) * 255
    stream = BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, "JPEG", quality=int(rng.integers(80, 97)))
    return stream.getvalue()


def commented(content: bytes, number: int) -> bytes:
    """The same picture in other bytes: a comment segment behind the first marker."""
    text = f"{number:08d}".encode()
    return content[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + content[2:]
