"""The data side at growing sizes: validate, preprocess and statistics over generated JPEGs of ImageNet's sizes.

    python benchmarks/data_side.py --images 1000 --images 10000 --images 100000 --folder FOLDER

Prints CSV: stage, images, seconds, images/s, largest process's memory in MB (each stage is a process of its own, so
that one's memory is not the other's), bytes written, and for `pool` and `read` their time against a stage's: `pool`
is a plain pool of processes that decodes, resizes and writes the same images, `read` one that only reads the records,
checks and parses them. FOLDER needs room for the JPEGs and for two sets of records of 200 MB for each thousand images;
nothing in it is kept. Sizes are drawn around those of ImageNet: 500 x 375 for half of the images, and log-normal around
that, up to 4,000 pixels wide. 1,000 distinct pictures are made; the others repeat them with other bytes.
"""

import json
import multiprocessing
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import click
import numpy as np
from PIL import Image

from alexnet_tf.records import ShardWriter, decode_example, encode_example, indexed_records, read_shard

DISTINCT, PER_SHARD, CLASSES = 1000, 512, 1000
LIMITS = {
    "max_corrupt_share": 0.02, "max_class_imbalance": 1e9, "allow_split_leakage": True, "near_copy_bits": None,
    "allow_near_leakage": True, "reference_schema": None, "min_side_px": 8, "max_aspect": 20.0,
}  # fmt: skip
PREPROCESS = {
    "seed": 1, "size": 256, "stored_size": 256, "max_rejected_share": 0.0, "max_pixels": 50_000_000,
    "images_per_shard": 512, "encoding": "raw", "jpeg_quality": 95,
}  # fmt: skip


@click.command()
@click.option("--images", "sizes", multiple=True, type=int, default=(1000,), show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="A folder that does not exist yet.")
@click.option("--workers", default=os.cpu_count(), show_default=True, help="Beam workers, and processes of the pool.")
def main(sizes: tuple[int, ...], folder: Path, workers: int) -> None:
    """Print the curve."""
    print(f"# {platform.processor() or platform.machine()}, {os.cpu_count()} cores, python {platform.python_version()}")
    print("stage,images,seconds,images_per_second,largest_process_mb,bytes_written,against")
    for images in sizes:
        folder.mkdir(parents=True)
        try:
            one_size(images, folder, workers)
        finally:
            shutil.rmtree(folder)


def one_size(images: int, folder: Path, workers: int) -> None:
    """Measure one number of images."""
    make_dataset(folder / "dataset", images)
    seconds = {}
    for stage in ("validate", "preprocess", "pool", "statistics", "read"):
        command = [sys.executable, __file__, "--stage", stage, str(folder), str(workers)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        measured = json.loads(done.stdout.splitlines()[-1])
        seconds[stage] = measured["seconds"]
        against = {"pool": "preprocess", "read": "statistics"}.get(stage)
        share = f"{seconds[stage] / seconds[against]:.2f} x {against}" if against else ""
        print(
            f"{stage},{images},{measured['seconds']:.1f},{images / measured['seconds']:.0f},{measured['mb']:.0f},"
            f"{measured['bytes']},{share}",
            flush=True,
        )


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


def stage(name: str, folder: Path, workers: int) -> None:
    """Run one stage in this process and print what it took."""
    before = size_of(folder)
    if name in ("validate", "preprocess", "statistics"):
        import apache_beam  # noqa: F401  its second is not part of the work
    else:
        pass
    started = time.perf_counter()
    {"validate": validate, "preprocess": preprocess, "statistics": statistics, "pool": pool, "read": read}[name](
        folder, workers
    )
    seconds = time.perf_counter() - started
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    memory = max(resource.getrusage(kind).ru_maxrss for kind in kinds) / 1024
    print(json.dumps({"seconds": seconds, "mb": memory, "bytes": size_of(folder) - before}))
    if name == "pool":
        shutil.rmtree(folder / "pool")


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


def preprocess(folder: Path, workers: int) -> None:
    from components import preprocess

    inputs = preprocess.Inputs(folder / "dataset", folder / "verdict.json")
    params = preprocess.Params(**PREPROCESS)
    preprocess.run(inputs, preprocess.Outputs(folder / "records"), params, runtime(workers))


def statistics(folder: Path, workers: int) -> None:
    from components import statistics

    outputs = statistics.Outputs(folder / "statistics")
    statistics.run(statistics.Inputs(folder / "records"), outputs, statistics.Params(size=256), runtime(workers))


def pool(folder: Path, workers: int) -> None:
    """What a program without Beam, order, manifest or checks would do: a pool of processes, a shard each."""
    (folder / "pool").mkdir()
    shards = sorted((folder / "dataset").glob("*.tfrecord-*"))
    with multiprocessing.get_context("spawn").Pool(workers) as processes:
        processes.map(pool_shard, [(str(path), str(folder / "pool" / path.name)) for path in shards], chunksize=1)


def pool_shard(paths: tuple[str, str]) -> None:
    from alexnet_tf.images import decode, to_square

    with ShardWriter(Path(paths[1])) as writer:
        for _, payload in indexed_records(Path(paths[0])):
            example = decode_example(payload)
            raw = to_square(decode(example["image"], max_pixels=50_000_000), 256).tobytes()
            row = {"image/raw": raw, "image/key": example["key"], "image/label": example["label"]}
            writer.write(encode_example(row))


def read(folder: Path, workers: int) -> None:
    """Read and check the records and parse them, and no more."""
    shards = sorted((folder / "records").glob("*.tfrecord"))
    with multiprocessing.get_context("spawn").Pool(workers) as processes:
        processes.map(read_shard_only, [str(path) for path in shards], chunksize=1)


def read_shard_only(path: str) -> None:
    for payload in read_shard(Path(path)):
        np.frombuffer(decode_example(payload)["image/raw"], np.uint8).reshape(256, 256, 3)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stage"]:
        stage(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
