"""The input side of training alone: how fast batches come from records, by encoding and number of cores.

    python -m benchmarks.input_side

Writes benchmarks/results/input_side.csv, from which `python -m benchmarks.pages` renders docs/scale.md. Records hold
squares of 256 pixels that are made as the stage preprocess makes them, of generated JPEGs of ImageNet's sizes; the
files are in memory. A process of its own is bound to so many cores, makes the batches of 128 images that a training
gets, in its order, and throws them away: images/s, and CPU-seconds of all its threads per 1,000 images. Crops, mirrors
and noise are part of the training step and are not in these figures.
"""

import os
import tempfile
import time
from itertools import islice
from pathlib import Path

import click

from alexnet_tf.data.images import decode, to_square
from alexnet_tf.data.pixel_codec import encode_pixels
from alexnet_tf.devices.processor import usable_cores
from benchmarks import results
from benchmarks.generated_jpegs import picture
from benchmarks.noise_records import SIZE, write_split
from pipeline.commands.base import Command

BATCH_SIZE = 128  # §5
IMAGES, DISTINCT = 8192, 512
ENCODINGS = ("raw", "jpeg")
COLUMNS = ("encoding", "bytes_per_image", "cores", "parallel_calls", "images_per_second", "cpu_seconds_per_1000")


@click.command(cls=Command)
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="Rounds; the page has medians.")
@click.option("--seconds", default=10.0, show_default=True, type=click.FloatRange(1), help="Length of a measurement.")
def main(rounds: int, seconds: float) -> None:
    """Measure, and write the rows."""
    cores = sorted({1, 2, usable_cores()} & set(range(1, usable_cores() + 1)))
    squares = [to_square(decode(picture(n), max_pixels=50_000_000), SIZE) for n in range(DISTINCT)]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        sizes = {}
        for encoding in ENCODINGS:
            stored = [encode_pixels(square, encoding=encoding, jpeg_quality=95) for square in squares]
            sizes[encoding] = sum(map(len, stored)) // DISTINCT
            (Path(folder) / encoding).mkdir()
            repeated = (stored[n % DISTINCT] for n in range(IMAGES))
            write_split(Path(folder) / encoding, IMAGES, repeated, encoding=encoding, size=SIZE)
        for _ in range(rounds):
            for encoding in ENCODINGS:
                for number in cores:
                    for calls in sorted({1, number}):
                        figures = measured(Path(folder) / encoding, number, calls, seconds)
                        row = (encoding, sizes[encoding], number, calls, *figures)
                        rows.append(dict(zip(COLUMNS, row, strict=True)))
                        click.echo(" ".join(f"{name}={value}" for name, value in rows[-1].items()))
    results.write("input_side", rows)


def measured(folder: Path, cores: int, calls: int, seconds: float) -> tuple[str, str]:
    """Return images/s and CPU-seconds per 1,000 images of a process that is bound to so many cores."""
    found = results.in_own_process("benchmarks.input_side", "read", folder, cores, calls, seconds)
    return f"{found['images'] / found['seconds']:.0f}", f"{1000 * found['cpu'] / found['images']:.3f}"


def read(folder: str, cores: int, calls: int, seconds: float) -> dict[str, float]:
    """Make batches for some seconds in this process, and return what it took."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])  # before TensorFlow counts them
    import tensorflow as tf

    from alexnet_tf.data.record_dataset import RecordDataset
    from alexnet_tf.training.batches import Batches

    batches = Batches(RecordDataset.open(Path(folder), "train"), BATCH_SIZE, seed=0, parallel_calls=calls)
    iterator = iter(batches.dataset(tf.distribute.OneDeviceStrategy("CPU:0"), 0, 1_000_000))
    for _ in islice(iterator, batches.steps_per_epoch):  # every file is in memory then
        pass
    images, started, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() < started + seconds:
        next(iterator)
        images += BATCH_SIZE
    took, cpu = time.perf_counter() - started, time.process_time() - cpu
    return {"images": images, "seconds": took, "cpu": cpu}


if __name__ == "__main__":
    main()
