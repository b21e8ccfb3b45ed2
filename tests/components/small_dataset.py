"""Small data sets in the layout of the stage download, written by hand."""

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from alexnet_tf.data.tfrecord import ShardWriter, encode_example
from components import download, preprocess, validate

CLASS_NAMES = ["tench", "church", "golf ball"]


def download_params(source: str, **changes) -> download.Params:
    """All of a source, a tenth held out, unless `changes` say otherwise."""
    values = {"source": source, "validation_share": 0.1}
    values["subset"] = {"classes": None, "images_per_class": None}
    values["sample"] = {"seed": 1} | {f"{split}_images_per_class": 1 for split in ("train", "validation", "test")}
    return download.Params.model_validate(values | changes)


def validate_params(**changes) -> validate.Params:
    """Limits within which a small set is healthy; near copies are not looked for, unless `changes` say otherwise."""
    values = {"max_corrupt_share": 0.1, "max_class_imbalance": 3.0, "min_side_px": 8, "max_aspect": 4.0}
    values |= {"allow_split_leakage": False, "near_copy_bits": None, "allow_near_leakage": False}
    values |= {"reference_schema": None, "max_pixels": 50_000_000}
    return validate.Params.model_validate(values | changes)


def preprocess_params(size: int, **changes) -> preprocess.Params:
    """Raw records of `size` pixels, stored at that size, unless `changes` say otherwise."""
    values = {"size": size, "stored_size": size, "max_corrupt_share": 0.0, "max_pixels": 50_000_000}
    values |= {"images_per_shard": 100, "encoding": "raw", "jpeg_quality": 95}
    return preprocess.Params(**(values | changes))


def jpeg(
    seed: int, *, width: int = 40, height: int = 30, mode: str = "RGB", format: str = "JPEG", orientation: int = 0
) -> bytes:
    """Encode a smooth random image, with an EXIF orientation if one is given."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)
    image = Image.fromarray(coarse).resize((width, height)).convert(mode)
    encoded, exif = io.BytesIO(), Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    image.save(encoded, format, **({"exif": exif} if orientation else {}))
    return encoded.getvalue()


def write_dataset(folder: Path, splits: dict[str, list[bytes]], *, num_shards: int = 2) -> dict[str, Path]:
    """Write shards, manifest and a passing verdict; return the stage's inputs. Image n has label n % 3."""
    dataset = folder / "dataset"
    dataset.mkdir(parents=True)
    manifest = {"source": "test", "class_names": CLASS_NAMES, "splits": {}, "unreadable": [], "ignored": {}}
    for split, images in splits.items():
        shards = []
        for shard in range(num_shards):
            path = dataset / f"test-{split}.tfrecord-{shard:05d}-of-{num_shards:05d}"
            with ShardWriter(path) as writer:
                for n in range(len(images) * shard // num_shards, len(images) * (shard + 1) // num_shards):
                    key = f"{split}/{CLASS_NAMES[n % 3]}/{n:04d}.jpeg"
                    writer.write(encode_example({"image": images[n], "label": n % 3, "key": key}))
            shards.append(vars(writer.info))
        manifest["splits"][split] = {"num_examples": len(images), "shards": shards}
    (dataset / "manifest.json").write_text(json.dumps(manifest))
    (folder / "verdict.json").write_text('{"verdict": "pass"}')
    return {"dataset": dataset, "verdict": folder / "verdict.json"}


def contents(folder: Path) -> dict[str, bytes]:
    """Return relative name to bytes of every file below a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
