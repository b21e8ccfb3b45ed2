"""Decode every image once, to squares of one size, in sharded records (§2).

Reads: the data set's shards and `manifest.json` (raw image bytes, labels, keys), and the verdict on it.

Writes, in `records`:
    `<split>-<number>-of-<count>.tfrecord`: `tf.train.Example` of `image/raw` (stored_size × stored_size × 3
        bytes, RGB, row by row) or `image/jpeg` (the same pixels, compressed), `image/key`, `image/label`, and
        `image/height`, `image/width` of the original.
    `<split>.index.npy`, `<split>.keys.txt`: place, label, original size, and key of every image, in order.
    `manifest.json`: sizes, encoding, class names, shards with count and SHA-256, what was rejected and why, software.

Guarantees: equal bytes whatever the Beam runner, its workers or their order, with equal Pillow and libjpeg.
The order is that of a salted hash of the keys, so any slice is a fair mix of classes. An image that cannot be
decoded is listed in the manifest, never dropped in silence. Images are taken as stored: EXIF orientation is ignored, as
in the 2012 code, but for TIFF. Memory does not grow with the images: a shard is
the unit.

Fails when: more than `max_corrupt_share` of a split is rejected, which the stage validate has found before by the same
limits; the data set differs from its manifest, or two images of a split have one key; the verdict is neither "pass" nor
"warn".
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, PositiveInt, model_validator

from alexnet_tf.data.pixel_codec import CHANNELS
from alexnet_tf.data.record_dataset import read_manifest
from alexnet_tf.data.upscale import whole_factor
from alexnet_tf.errors import DataError
from alexnet_tf.whole_file import remove_unfinished, write_json, write_whole
from components.beam.run import run_shards
from components.interfaces import SPLITS, Runtime, Seed, StageParams
from components.preprocess_shards import PLACE, IndexTask, ShardTask, index_shard, join_parts, write_shard


@dataclass(frozen=True)
class Inputs:
    """What the stage reads."""

    dataset: Path
    verdict: Path


@dataclass(frozen=True)
class Outputs:
    """What the stage writes."""

    records: Path


class Params(StageParams):
    """Sizes in pixels; `size` is what training sees, a whole multiple of `stored_size`.

    Attributes:
        encoding: "raw" takes the most room; "jpeg" takes less, is decoded while training, and loses a little.
        jpeg_quality: libjpeg's, 1 to 100; "raw" does without.
    """

    seed: Seed
    size: PositiveInt
    stored_size: PositiveInt
    max_corrupt_share: Annotated[float, Field(ge=0, le=1)]
    max_pixels: PositiveInt
    images_per_shard: PositiveInt
    encoding: Literal["raw", "jpeg"]
    jpeg_quality: Annotated[int, Field(ge=1, le=100)]

    @model_validator(mode="after")
    def _size_is_a_multiple(self) -> Self:
        whole_factor(self.size, self.stored_size)
        return self


def run(inputs: Inputs, outputs: Outputs, params: Params, runtime: Runtime) -> str:
    """Run the stage; see the module's contract."""
    _check_verdict(inputs.verdict)
    dataset = read_manifest(inputs.dataset, stage="download")
    outputs.records.mkdir()
    scratch = outputs.records / "scratch"
    scratch.mkdir()
    orders = _order(inputs.dataset, dataset, scratch, params, runtime)
    tasks, splits = [], []
    for split, places in orders.items():
        num_shards = -(-len(places) // params.images_per_shard)
        write_whole(scratch / f"{split}.places", places.tobytes())
        for number in range(num_shards):
            name = f"{split}-{number:05d}-of-{num_shards:05d}"
            splits.append(split)
            tasks.append(
                ShardTask(
                    dataset=str(inputs.dataset),
                    places=str(scratch / f"{split}.places"),
                    files=str(scratch / f"{split}.files.txt"),
                    start=len(places) * number // num_shards,
                    stop=len(places) * (number + 1) // num_shards,
                    record=str(outputs.records / f"{name}.tfrecord"),
                    shard=number,
                    parts=str(scratch / name),
                    stored_size=params.stored_size,
                    encoding=params.encoding,
                    jpeg_quality=params.jpeg_quality,
                    max_pixels=params.max_pixels,
                    num_classes=len(dataset["class_names"]),
                )
            )
    summaries = run_shards(write_shard, tasks, runtime=runtime, scratch=scratch, description="decode images")
    remove_unfinished(outputs.records)  # of a worker that was killed, whose shard another one wrote
    manifest: dict[str, Any] = {
        "size": params.size,
        "stored_size": params.stored_size,
        "channels": CHANNELS,
        "encoding": params.encoding,
        **({"jpeg_quality": params.jpeg_quality} if params.encoding == "jpeg" else {}),
        "class_names": dataset["class_names"],
        "splits": {},
        "rejected": [],
        "software": _common_software(summaries),
    }
    for split in orders:
        of_split = [n for n, owner in enumerate(splits) if owner == split]
        rejected = sorted(entry for n in of_split for entry in summaries[n]["rejected"])
        _check_rejected(split, rejected, len(orders[split]), params.max_corrupt_share)
        manifest["rejected"] += [{"split": split, "key": key, "reason": reason} for key, reason in rejected]
        manifest["splits"][split] = {
            "num_examples": sum(summaries[n]["shard"]["num_examples"] for n in of_split),
            "shards": [summaries[n]["shard"] for n in of_split],
            "index_sha256": join_parts(outputs.records, split, [tasks[n].parts for n in of_split]),
        }
    shutil.rmtree(scratch)
    write_json(outputs.records / "manifest.json", manifest)
    counts = {f"images/{split}": float(part["num_examples"]) for split, part in manifest["splits"].items()}
    runtime.tracker.metrics({**counts, "images/rejected": float(len(manifest["rejected"]))})
    return _found(manifest)


def _found(manifest: dict[str, Any]) -> str:
    sizes = {split: part["num_examples"] for split, part in manifest["splits"].items()}
    listed = ", ".join(f"{split} {sizes[split]:,}" for split in sorted(sizes, key=SPLITS.index))
    side, rejected = manifest["stored_size"], manifest["rejected"]
    text = f"{sum(sizes.values()):,} images of {side} x {side} pixels: {listed}; {len(rejected):,} rejected"
    if rejected:
        text += f"{', the first' * (len(rejected) > 1)}: {rejected[0]['key']}, {rejected[0]['reason']}"
    return text


def _check_verdict(path: Path) -> None:
    try:
        verdict = json.loads(path.read_text(encoding="utf-8"))["verdict"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: expected a verdict on the data ({error}); run the stage validate.") from error
    if verdict not in ("pass", "warn"):
        raise DataError(f'{path}: expected the verdict "pass" or "warn", found {verdict!r}; see reports/validate.')


def _order(
    folder: Path, dataset: dict[str, Any], scratch: Path, params: Params, runtime: Runtime
) -> dict[str, np.ndarray]:
    """Return, per split, the places of its images in the order of their hashed keys: (N,) `PLACE`."""
    tasks, counts = [], []
    for split, listed in dataset["splits"].items():
        names = [shard["file"] for shard in listed["shards"]]
        (scratch / f"{split}.files.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        for number, shard in enumerate(listed["shards"]):
            places = str(scratch / f"{split}-{number}.places.npy")
            tasks.append(IndexTask(str(folder / shard["file"]), number, params.seed, places))
            counts.append((split, shard["num_examples"]))
    found = run_shards(index_shard, tasks, runtime=runtime, scratch=scratch, description="index images")
    parts: dict[str, list[np.ndarray]] = {split: [np.empty(0, PLACE)] for split in dataset["splits"]}
    for task, (split, expected), count in zip(tasks, counts, found, strict=True):
        if count != expected:
            raise DataError(f"{task.shard}: expected {expected} images, found {count}; run the stage download again.")
        parts[split].append(np.load(task.places))
    orders = {}
    for split, of_split in parts.items():
        places = np.concatenate(of_split)
        digests = places["digest"]
        places = places[np.lexsort([digests[:, column] for column in (3, 2, 1, 0)])]
        if (places["digest"][1:] == places["digest"][:-1]).all(axis=1).any():
            raise DataError(f"{folder}: two images of the split {split} have one key; run the stage download again.")
        orders[split] = places
    return orders


def _common_software(summaries: Sequence[dict[str, Any]]) -> dict[str, str]:
    versions = [summary["software"] for summary in summaries]
    for other in versions:
        if other != versions[0]:
            found = f"found {versions[0]} and {other}"
            raise DataError(f"Beam workers: expected equal software, {found}: pixels would differ; install the same.")
    return versions[0] if versions else {}


def _check_rejected(split: str, rejected: list[list[str]], num_images: int, max_share: float) -> None:
    if len(rejected) > max_share * num_images:
        share = f"{len(rejected)} of {num_images} images of the split {split} cannot be used"
        first = "; ".join(f"{key}: {reason}" for key, reason in rejected[:3])
        way_out = "repair or remove them and run `dvc repro -f download`, or raise validate.max_corrupt_share"
        raise DataError(f"{share}, expected a share of at most {max_share} (the first: {first}); {way_out}.")
