"""The data side at growing sizes: validate, preprocess and statistics over generated JPEGs of ImageNet's sizes.

    python -m benchmarks.data_side --jpeg 1000 --jpeg 10000 --jpeg 100000 --raw 1000 --raw 10000 --folder NEW_FOLDER

Writes benchmarks/results/data_side.csv, from which `python -m benchmarks.pages` renders the tables of docs/scale.md.
`--jpeg` and `--raw` say how many images, and how the records hold their pixels (`preprocess.encoding`): as JPEG, as
experiments/imagenet2012.yaml has it, or raw. Of each: seconds, the largest process's memory (each stage is a process of
its own, so that one's memory is not the other's) and bytes written. `pool` is a plain pool of processes that decodes,
resizes and writes the same images, `read` one that only reads the records, checks, parses and decodes them. The time
begins when all is imported and a pool's processes are ready; what Beam does to start is part of it. A size that is
given more than once is measured as often, on images made anew. NEW_FOLDER needs room for the JPEGs and for a set of
records, 320 MB for each thousand images where they are raw; it is removed at the end. Sizes are drawn around those of
ImageNet: 500 x 375 for half of the images, and log-normal around that, up to 4,000 pixels wide. 1,000 distinct pictures
are made; the others repeat them with other bytes.
"""

import multiprocessing
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from multiprocessing.pool import Pool
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alexnet_tf.data.pixel_codec import FEATURES, decode_pixels, encode_pixels
from alexnet_tf.data.tfrecord import ShardWriter, decode_example, encode_example, indexed_records, read_shard
from alexnet_tf.devices.peak_memory import largest_peak_memory_bytes
from alexnet_tf.devices.processor import usable_cores
from benchmarks import results
from benchmarks.generated_jpegs import CLASSES, make_dataset
from pipeline.commands.base import Command

if TYPE_CHECKING:
    from threading import Barrier

    from components.interfaces import Runtime

COLUMNS = ("records", "images", "stage", "seconds", "mib", "bytes")
LIMITS = {
    "max_corrupt_share": 0.02, "max_class_imbalance": 1e9, "allow_split_leakage": True, "near_copy_bits": None,
    "allow_near_leakage": True, "reference_schema": None, "min_side_px": 8, "max_aspect": 20.0,
    "max_pixels": 50_000_000,
}  # fmt: skip
SIDE = 256
PREPROCESS = {
    "size": SIDE, "stored_size": SIDE, "max_corrupt_share": 0.0, "max_pixels": 50_000_000,
    "images_per_shard": 512, "jpeg_quality": 95,
}  # fmt: skip


@click.command(cls=Command)
@click.option("--jpeg", multiple=True, type=click.IntRange(CLASSES), help="So many images, records of JPEGs.")
@click.option("--raw", multiple=True, type=click.IntRange(CLASSES), help="So many images, records of raw pixels.")
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="A folder that does not exist yet.")
@click.option(
    "--workers",
    default=usable_cores(),
    show_default=True,
    type=click.IntRange(1),
    help="Beam workers, and processes of the pool.",
)
def main(jpeg: tuple[int, ...], raw: tuple[int, ...], folder: Path, workers: int) -> None:
    """Measure the curve; an interrupted one leaves the results as they were."""
    if not jpeg + raw:
        raise click.UsageError("expected at least one --jpeg IMAGES or --raw IMAGES, for example --jpeg 1000")
    if folder.exists():  # it is removed at the end
        raise click.UsageError(f"--folder {folder}: expected a folder that does not exist yet, found one")
    rows = []
    for encoding, images in (*product(["jpeg"], jpeg), *product(["raw"], raw)):
        folder.mkdir(parents=True)
        try:
            make_dataset(folder / "dataset", images)
            for name in ("validate", "pool", "preprocess", "read", "statistics"):
                row = (encoding, images, name, *measured(name, encoding, folder, workers))
                rows.append(dict(zip(COLUMNS, row, strict=True)))
                click.echo(" ".join(f"{column}={value}" for column, value in rows[-1].items()))
        finally:
            shutil.rmtree(folder)
    results.write("data_side", rows)


def measured(name: str, encoding: str, folder: Path, workers: int) -> tuple[str, str, int]:
    """Run a stage in a process of its own; return seconds, MiB of the largest process, bytes written."""
    found = results.in_own_process("benchmarks.data_side", "stage", name, encoding, folder, workers)
    return f"{found['seconds']:.2f}", f"{found['mib']:.0f}", found["bytes"]


def stage(name: str, encoding: str, place: str, workers: int) -> dict[str, float]:
    """Run one stage, or what it is compared with, in this process and return what it took."""
    folder = Path(place)
    before = size_of(folder)
    with (started_pool if name in PEERS else imported_runtime)(workers) as means:
        started = time.perf_counter()
        (STAGES | PEERS)[name](encoding, folder, means)
        seconds = time.perf_counter() - started
    found = {"seconds": seconds, "mib": largest_peak_memory_bytes() / 2**20, "bytes": size_of(folder) - before}
    if name == "pool":
        shutil.rmtree(folder / "pool")  # the room is needed
    return found


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextmanager
def imported_runtime(workers: int) -> Iterator["Runtime"]:
    """Give what a stage runs with; the stages and Beam are imported then, which takes a second."""
    import apache_beam  # noqa: F401

    from components import preprocess, statistics, validate  # noqa: F401
    from components.interfaces import BeamRuntime, Runtime

    yield Runtime(beam=BeamRuntime(num_workers=workers))


@contextmanager
def started_pool(workers: int) -> Iterator[Pool]:
    """Give a pool of processes that have started and imported all that they need, as Beam's workers have."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(workers + 1, timeout=300)
    with context.Pool(workers, initializer=_import_and_meet, initargs=(ready,)) as processes:
        ready.wait()
        yield processes


def _import_and_meet(ready: "Barrier") -> None:
    import alexnet_tf.data.images  # noqa: F401  Pillow, which `pool_shard` needs

    ready.wait()


def validate(_: str, folder: Path, runtime: "Runtime") -> None:
    from components import validate

    outputs = validate.Outputs(folder / "report", folder / "verdict.json")
    params = validate.Params.model_validate(LIMITS)
    validate.run(validate.Inputs(folder / "dataset", folder), outputs, params, runtime)


def preprocess(encoding: str, folder: Path, runtime: "Runtime") -> None:
    from components import preprocess

    inputs = preprocess.Inputs(folder / "dataset", folder / "verdict.json")
    params = preprocess.Params(**PREPROCESS, encoding=encoding)
    preprocess.run(inputs, preprocess.Outputs(folder / "records"), params, runtime)


def statistics(_: str, folder: Path, runtime: "Runtime") -> None:
    from components import statistics

    outputs = statistics.Outputs(folder / "statistics")
    statistics.run(statistics.Inputs(folder / "records"), outputs, statistics.Params(size=SIDE), runtime)


def pool(encoding: str, folder: Path, processes: Pool) -> None:
    """What a program without Beam, order, manifest or checks would do: a pool of processes, a shard each."""
    (folder / "pool").mkdir()
    shards = sorted((folder / "dataset").glob("*.tfrecord-*"))
    processes.starmap(pool_shard, [(path, folder / "pool" / path.name, encoding) for path in shards], chunksize=1)


def pool_shard(source: Path, target: Path, encoding: str) -> None:
    from alexnet_tf.data.images import decode, to_square

    with ShardWriter(target) as writer:
        for _, payload in indexed_records(source):
            example = decode_example(payload)
            square = to_square(decode(example["image"], max_pixels=PREPROCESS["max_pixels"]), SIDE)
            stored = encode_pixels(square, encoding=encoding, jpeg_quality=PREPROCESS["jpeg_quality"])
            row = {FEATURES[encoding]: stored, "image/key": example["key"], "image/label": example["label"]}
            writer.write(encode_example(row))


def read(encoding: str, folder: Path, processes: Pool) -> None:
    """Read and check the records, parse and decode them, and no more."""
    shards = sorted((folder / "records").glob("*.tfrecord"))
    processes.starmap(read_shard_only, [(path, encoding) for path in shards], chunksize=1)


def read_shard_only(path: Path, encoding: str) -> None:
    for payload in read_shard(path):
        decode_pixels(decode_example(payload)[FEATURES[encoding]], encoding=encoding, size=SIDE)


STAGES: dict[str, Callable[[str, Path, Any], None]] = {
    "validate": validate,
    "preprocess": preprocess,
    "statistics": statistics,
}
PEERS: dict[str, Callable[[str, Path, Any], None]] = {"pool": pool, "read": read}


if __name__ == "__main__":
    main()
