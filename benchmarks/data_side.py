"""The data side at growing sizes: validate, preprocess and statistics over generated JPEGs of ImageNet's sizes.

    python -m benchmarks.data_side --jpeg 1000 --jpeg 10000 --jpeg 100000 --raw 1000 --raw 10000 --folder FOLDER

Writes benchmarks/results/data_side.csv, from which `python -m benchmarks.pages` renders the tables of docs/scale.md.
`--jpeg` and `--raw` say how many images, and how the records hold their pixels (`preprocess.encoding`): as JPEG, as
experiments/imagenet2012.yaml has it, or raw. Of each: seconds, the largest process's memory (each stage is a process of
its own, so that one's memory is not the other's) and bytes written. `pool` is a plain pool of processes that decodes,
resizes and writes the same images, `read` one that only reads the records, checks, parses and decodes them. A size that
is given more than once is measured as often, on images made anew. FOLDER needs room for the JPEGs and for a set of
records, 320 MB for each thousand images where they are raw; nothing in it is kept. Sizes are drawn around those of
ImageNet: 500 x 375 for half of the images, and log-normal around that, up to 4,000 pixels wide. 1,000 distinct pictures
are made; the others repeat them with other bytes.
"""

import multiprocessing
import resource
import shutil
import time
from functools import partial
from itertools import product
from pathlib import Path

import click

from alexnet_tf.data.pixel_codec import FEATURES, decode_pixels, encode_pixels
from alexnet_tf.data.tfrecord import ShardWriter, decode_example, encode_example, indexed_records, read_shard
from alexnet_tf.devices.processor import usable_cores
from benchmarks import results
from benchmarks.generated_jpegs import CLASSES, make_dataset

COLUMNS = ("records", "images", "stage", "seconds", "mib", "bytes")
LIMITS = {
    "max_corrupt_share": 0.02, "max_class_imbalance": 1e9, "allow_split_leakage": True, "near_copy_bits": None,
    "allow_near_leakage": True, "reference_schema": None, "min_side_px": 8, "max_aspect": 20.0,
    "max_pixels": 50_000_000,
}  # fmt: skip
SIDE = 256
PREPROCESS = {
    "seed": 1, "size": SIDE, "stored_size": SIDE, "max_corrupt_share": 0.0, "max_pixels": 50_000_000,
    "images_per_shard": 512, "jpeg_quality": 95,
}  # fmt: skip


@click.command()
@click.option("--jpeg", multiple=True, type=click.IntRange(CLASSES), help="So many images, records of JPEGs.")
@click.option("--raw", multiple=True, type=click.IntRange(CLASSES), help="So many images, records of raw pixels.")
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="A folder that does not exist yet.")
@click.option("--workers", default=usable_cores(), show_default=True, help="Beam workers, and processes of the pool.")
def main(jpeg: tuple[int, ...], raw: tuple[int, ...], folder: Path, workers: int) -> None:
    """Measure the curve; an interrupted one leaves the results as they were."""
    if not jpeg + raw:
        raise click.UsageError("expected at least one --jpeg IMAGES or --raw IMAGES, for example --jpeg 1000")
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
    """Run one stage in this process and return what it took."""
    folder = Path(place)
    before = size_of(folder)
    if name in ("validate", "preprocess", "statistics"):
        import apache_beam  # noqa: F401  its second is not part of the work
    started = time.perf_counter()
    {
        "validate": validate,
        "preprocess": partial(preprocess, encoding),
        "statistics": statistics,
        "pool": partial(pool, encoding),
        "read": partial(read, encoding),
    }[name](folder, workers)
    seconds = time.perf_counter() - started
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    memory = max(resource.getrusage(kind).ru_maxrss for kind in kinds) / 1024
    found = {"seconds": seconds, "mib": memory, "bytes": size_of(folder) - before}
    if name == "pool":
        shutil.rmtree(folder / "pool")  # the room is needed
    return found


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def runtime(workers: int):
    from components.interfaces import BeamRuntime, Runtime

    return Runtime(beam=BeamRuntime(num_workers=workers))


def validate(folder: Path, workers: int) -> None:
    from components import validate

    outputs = validate.Outputs(folder / "report", folder / "verdict.json")
    params = validate.Params.model_validate(LIMITS)
    validate.run(validate.Inputs(folder / "dataset", folder), outputs, params, runtime(workers))


def preprocess(encoding: str, folder: Path, workers: int) -> None:
    from components import preprocess

    inputs = preprocess.Inputs(folder / "dataset", folder / "verdict.json")
    params = preprocess.Params(**PREPROCESS, encoding=encoding)
    preprocess.run(inputs, preprocess.Outputs(folder / "records"), params, runtime(workers))


def statistics(folder: Path, workers: int) -> None:
    from components import statistics

    outputs = statistics.Outputs(folder / "statistics")
    statistics.run(statistics.Inputs(folder / "records"), outputs, statistics.Params(size=SIDE), runtime(workers))


def pool(encoding: str, folder: Path, workers: int) -> None:
    """What a program without Beam, order, manifest or checks would do: a pool of processes, a shard each."""
    (folder / "pool").mkdir()
    shards = sorted((folder / "dataset").glob("*.tfrecord-*"))
    with multiprocessing.get_context("spawn").Pool(workers) as processes:
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


def read(encoding: str, folder: Path, workers: int) -> None:
    """Read and check the records, parse and decode them, and no more."""
    shards = sorted((folder / "records").glob("*.tfrecord"))
    with multiprocessing.get_context("spawn").Pool(workers) as processes:
        processes.starmap(read_shard_only, [(path, encoding) for path in shards], chunksize=1)


def read_shard_only(path: Path, encoding: str) -> None:
    for payload in read_shard(path):
        decode_pixels(decode_example(payload)[FEATURES[encoding]], encoding=encoding, size=SIDE)


if __name__ == "__main__":
    main()
