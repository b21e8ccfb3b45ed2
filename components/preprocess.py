"""Decode every image once, to squares of one size, in sharded records (§2).

Reads: the data set's shards and `manifest.json` (raw image bytes, labels, keys), and the verdict on it.

Writes, in `records`:
    `<split>-<number>-of-<count>.tfrecord`: `tf.train.Example` of `image/raw` (stored_size × stored_size × 3
        bytes, RGB, row by row) or `image/jpeg` (the same pixels, compressed), `image/key`, `image/label`, and
        `image/height`, `image/width` of the original.
    `<split>.index.npy`, `<split>.keys.txt`: place, label, original size, and key of every image, in order.
    `manifest.json`: sizes, encoding, class names, shards with count and SHA-256, what was rejected and why, software;
        for each split `source_digest`, which names its raw images with their keys and labels, whatever their order,
        shards and size here.

Guarantees: equal bytes whatever the Beam runner, its workers or their order, and the shards of the data set, with equal
Pillow and libjpeg. The order is that of the data set, which mixes the classes. An image that cannot be decoded is
listed in the manifest, never dropped in silence. Images are taken as stored: EXIF orientation is ignored, as in the
2012 code, but for TIFF. A shard is the unit of work and of memory.

Fails when: the verdict is neither "pass" nor "warn"; raw pixels would not fit on the disk; more than
`max_corrupt_share` of a split is rejected, which the stage validate has found before by the same limits; the data set
differs from its manifest, or two images of a split have one key.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from alexnet_tf.data.pixel_codec import CHANNELS
from alexnet_tf.data.record_dataset import read_manifest
from alexnet_tf.data.upscale import whole_factor
from alexnet_tf.errors import DataError
from alexnet_tf.whole_file import remove_unfinished, write_json
from components.beam.run import run_shards
from components.interfaces import SPLITS, Runtime, StageParams
from components.preprocess_shards import Piece, ShardTask, join_parts, source_digest, write_shard


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
    _check_room(outputs.records.parent, dataset, params)
    outputs.records.mkdir()
    scratch = outputs.records / "scratch"
    scratch.mkdir()
    tasks = _tasks(inputs.dataset, dataset, outputs.records, scratch, params)
    every = [task for of_split in tasks.values() for task in of_split]
    summaries = run_shards(write_shard, every, runtime=runtime, scratch=scratch, description="decode images")
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
    remaining = iter(summaries)
    for split, of_split in tasks.items():
        found = list(islice(remaining, len(of_split)))
        rejected = sorted(entry for each in found for entry in each["rejected"])
        _check_rejected(split, rejected, dataset["splits"][split]["num_examples"], params.max_corrupt_share)
        manifest["rejected"] += [{"split": split, "key": key, "reason": reason} for key, reason in rejected]
        manifest["splits"][split] = {
            "num_examples": sum(each["shard"]["num_examples"] for each in found),
            "shards": [each["shard"] for each in found],
            "source_digest": source_digest(each["source_digest"] for each in found),
            "index_sha256": join_parts(outputs.records, split, [task.parts for task in of_split]),
        }
    shutil.rmtree(scratch)
    write_json(outputs.records / "manifest.json", manifest)
    counts = {f"images/{split}": float(part["num_examples"]) for split, part in manifest["splits"].items()}
    runtime.tracker.metrics({**counts, "images/rejected": float(len(manifest["rejected"]))})
    return _found(manifest)


def _tasks(
    folder: Path, dataset: Mapping[str, Any], records: Path, scratch: Path, params: Params
) -> dict[str, list[ShardTask]]:
    """Name what to do for each shard of the records, by split."""
    tasks: dict[str, list[ShardTask]] = {}
    for split, listed in dataset["splits"].items():
        num_examples, tasks[split] = listed["num_examples"], []
        num_shards = -(-num_examples // params.images_per_shard)
        for number in range(num_shards):
            name = f"{split}-{number:05d}-of-{num_shards:05d}"
            start, stop = (num_examples * end // num_shards for end in (number, number + 1))
            tasks[split].append(
                ShardTask(
                    pieces=tuple(pieces(folder, listed["shards"], start, stop)),
                    record=str(records / f"{name}.tfrecord"),
                    shard=number,
                    parts=str(scratch / name),
                    stored_size=params.stored_size,
                    encoding=params.encoding,
                    jpeg_quality=params.jpeg_quality,
                    max_pixels=params.max_pixels,
                    num_classes=len(dataset["class_names"]),
                )
            )
    return tasks


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


def _check_room(folder: Path, dataset: dict[str, Any], params: Params) -> None:
    """Find out before the work that raw pixels, whose size is known, do not fit on the disk."""
    num_images = sum(split["num_examples"] for split in dataset["splits"].values())
    needed, free = num_images * params.stored_size**2 * CHANNELS, shutil.disk_usage(folder).free
    if params.encoding == "raw" and needed > free:
        raise DataError(
            f"{folder}: expected {needed / 1e9:,.1f} GB of disk space for {num_images:,} images, found "
            f"{free / 1e9:,.1f} GB free; make room, or set preprocess.encoding to jpeg, which needs about a fifth."
        )


def pieces(folder: Path, shards: Sequence[Mapping[str, Any]], start: int, stop: int) -> Iterator[Piece]:
    """Yield where the images [start, stop) of a split are.

    Args:
        folder: The data set.
        shards: Of the split, as its manifest lists them.
        start: First image.
        stop: The one after the last.
    """
    first = 0
    for shard in shards:
        count = shard["num_examples"]
        begin, end = max(start - first, 0), min(stop - first, count)
        if begin < end:
            yield Piece(str(folder / shard["file"]), begin, end, count)
        first += count


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
