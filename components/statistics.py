"""Mean image and principal components of colour of the training split, as training sees it (§2, §4.1).

Reads: the records; of the splits other than the training one it checks every record, and no more.

Writes, in `statistics`:
    `statistics.json`: image and pixel counts, the exact integer sums, and what derives from them: channel
        mean, covariance of R, G, B over all pixels, its eigenvalues (descending) and eigenvectors (columns).
    `mean_image.npy`: (size, size, 3) float32, 0..255.
    `sum_image.npy`: (stored_size, stored_size, 3) int64.

Guarantees: bit-equal on any Beam runner and for any sharding, since all sums are integers. One pass; every
record is checked against its checksum. Of JPEGs it sums the decoded pixels, those that training sees.

Fails when: the training split is empty, any split differs from its manifest or has a damaged record; the records
were made for another size.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import PositiveInt

from alexnet_tf.data.colour_statistics import ColourStatistics, save_statistics
from alexnet_tf.data.moments import Moments
from alexnet_tf.data.npy_file import save_npy
from alexnet_tf.data.pixel_codec import FEATURES, decode_pixels
from alexnet_tf.data.record_dataset import read_manifest
from alexnet_tf.data.tfrecord import feature_span, read_shard
from alexnet_tf.data.upscale import whole_factor
from alexnet_tf.errors import DataError
from components.beam.run import run_shards
from components.beam.worker import COUNTERS
from components.interfaces import Runtime, StageParams

SPLIT = "train"


@dataclass(frozen=True)
class Inputs:
    """What the stage reads."""

    records: Path


@dataclass(frozen=True)
class Outputs:
    """What the stage writes."""

    statistics: Path


class Params(StageParams):
    """`size`: side of the images as training sees them, in pixels."""

    size: PositiveInt


@dataclass(frozen=True)
class SumTask:
    """Sum over one shard; the sum image goes to a file."""

    shard: str
    stored_size: int
    encoding: str
    factor: int
    sum_image: str


@dataclass(frozen=True)
class CheckTask:
    """Read one shard of another split, for its checksums: training and evaluation read records without."""

    shard: str


def run(inputs: Inputs, outputs: Outputs, params: Params, runtime: Runtime) -> str:
    """Run the stage; see the module's contract."""
    manifest = read_manifest(inputs.records)
    listed = manifest["splits"].get(SPLIT, {"num_examples": 0})
    if not listed["num_examples"]:
        raise DataError(f"{inputs.records}: expected images in the split {SPLIT}, found none; check the source.")
    if manifest["size"] != params.size:
        found = f"expected images for size {params.size}, found {manifest['size']}"
        raise DataError(f"{inputs.records}: {found}; run the stage preprocess again.")
    stored_size = manifest["stored_size"]
    factor = whole_factor(params.size, stored_size)
    outputs.statistics.mkdir()
    scratch = outputs.statistics / "scratch"
    scratch.mkdir()
    sums = [
        SumTask(
            shard=str(inputs.records / shard["file"]),
            stored_size=stored_size,
            encoding=manifest["encoding"],
            factor=factor,
            sum_image=str(scratch / f"{number}.npy"),
        )
        for number, shard in enumerate(listed["shards"])
    ]
    others = [shard for name, split in sorted(manifest["splits"].items()) if name != SPLIT for shard in split["shards"]]
    tasks = [*sums, *(CheckTask(str(inputs.records / shard["file"])) for shard in others)]
    summaries = run_shards(look_at, tasks, runtime=runtime, scratch=scratch, description="sum colours")
    for task, shard, summary in zip(tasks, [*listed["shards"], *others], summaries, strict=True):
        if summary["num_images"] != shard["num_examples"]:
            found = f"expected {shard['num_examples']} images, found {summary['num_images']}"
            raise DataError(f"{task.shard}: {found}; run the stage preprocess again.")
    moments = Moments.zero(stored_size, factor)
    for task, summary in zip(sums, summaries, strict=False):
        gram = tuple(tuple(row) for row in summary["gram"])
        moments += Moments(stored_size, factor, summary["num_images"], np.load(task.sum_image), gram)
    shutil.rmtree(scratch)
    save_statistics(outputs.statistics, moments)
    statistics = ColourStatistics.load(outputs.statistics)
    roots = np.sqrt(statistics.eigenvalues)
    figures = {f"channel_mean/{c}": float(x) for c, x in zip("rgb", statistics.channel_mean, strict=True)}
    figures |= {f"colour_stddev/{n}": float(x) for n, x in enumerate(roots, start=1)}
    runtime.tracker.metrics(figures)
    means = ", ".join(f"{c.upper()} {x:.1f}" for c, x in zip("rgb", statistics.channel_mean, strict=True))
    axes = ", ".join(f"{x:.1f}" for x in roots)
    return f"{moments.num_images:,} training images: mean {means}; standard deviations along the colour axes {axes}"


def look_at(task: SumTask | CheckTask) -> dict[str, Any]:
    """Do a task, in a Beam worker, and return what was found; at least the number of images."""
    if isinstance(task, SumTask):
        return sum_shard(task)
    return {"num_images": sum(1 for _ in read_shard(Path(task.shard)))}


def sum_shard(task: SumTask) -> dict[str, Any]:
    """Write the sum image of one shard and return its other moments."""
    moments = Moments.of(_images(task), task.stored_size, task.factor)
    save_npy(Path(task.sum_image), moments.sum_image)
    counters = {"images": moments.num_images}
    return {"num_images": moments.num_images, "gram": moments.gram, COUNTERS: counters}


def _images(task: SumTask) -> Iterator[np.ndarray]:
    feature = FEATURES[task.encoding]
    for number, record in enumerate(read_shard(Path(task.shard))):
        where, way_out = f"{task.shard}, record {number}", "run the stage preprocess again"
        try:
            start, end = feature_span(record, feature)
            yield decode_pixels(record[start:end], encoding=task.encoding, size=task.stored_size)
        except KeyError as error:
            raise DataError(f"{where}: expected the feature {feature}, found none; {way_out}.") from error
        except ValueError as error:
            raise DataError(f"{where}: {error}; {way_out}.") from error
