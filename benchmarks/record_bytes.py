"""What an image costs raw and as JPEG: bytes on disk, time to read, and what JPEG takes from it.

    python -m benchmarks.record_bytes FOLDER

Takes images evenly from all those below the folder and writes benchmarks/results/record_bytes.csv: bytes an image, the
largest of them, the mean absolute difference from the raw pixels in grey levels of 255, and images/s of
`RecordDataset.read` at random, in batches as training reads them, its threads decoding and the files in memory: the
median of some rounds after a warm-up.
"""

import statistics
import tempfile
import time
from pathlib import Path

import click
import numpy as np
from PIL import Image

from alexnet_tf.data.images import ImageRejected, decode, to_square
from alexnet_tf.data.pixel_codec import decode_pixels, encode_pixels
from alexnet_tf.data.record_dataset import RecordDataset
from benchmarks import results
from benchmarks.noise_records import write_split
from components.sources.files import find_files

BATCH_SIZE = 128  # §5
BATCHES = 16
ROUNDS = 5
COLUMNS = ("size", "encoding", "images", "bytes_per_image", "largest", "mean_difference", "images_per_second")


def images_per_second(stored: list[bytes], *, encoding: str, size: int) -> float:
    """Write records and measure how fast they are read."""
    with tempfile.TemporaryDirectory() as folder:
        write_split(Path(folder), len(stored), iter(stored), encoding=encoding, size=size)
        split = RecordDataset.open(Path(folder), "train")
        batches = np.random.default_rng(0).integers(0, len(stored), (BATCHES, BATCH_SIZE))
        rates = []
        for _ in range(1 + ROUNDS):
            start = time.perf_counter()
            for batch in batches:
                split.read(batch)
            rates.append(batches.size / (time.perf_counter() - start))
    return statistics.median(rates[1:])


def square(path: Path, size: int) -> Image.Image:
    """Return an image as the stage preprocess makes it."""
    try:
        return to_square(decode(path.read_bytes(), max_pixels=50_000_000), size)
    except ImageRejected as error:
        raise click.ClickException(f"{path}: {error.reason}; take it out") from error


def difference(stored: list[bytes], squares: list[Image.Image]) -> float:
    """Return the mean absolute difference of JPEGs from their originals, in grey levels of 255."""
    pairs = (
        (decode_pixels(content, encoding="jpeg", size=image.width).astype(int), np.asarray(image))
        for content, image in zip(stored, squares, strict=True)
    )
    return float(np.mean([np.abs(pixels - original).mean() for pixels, original in pairs]))


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--images", default=300, show_default=True, type=click.IntRange(min=1), help="All are held in memory.")
@click.option(
    "--size", "sizes", multiple=True, type=int, default=(256, 144), show_default=True, help="Pixels of a side."
)
@click.option("--quality", "qualities", multiple=True, type=int, default=(85, 95), show_default=True)
def main(folder: Path, images: int, sizes: tuple[int, ...], qualities: tuple[int, ...]) -> None:
    """Measure, and write the rows."""
    files, _ = find_files(folder)
    if not files:
        raise click.UsageError(f"{folder}: expected image files, found none")
    chosen = files[:: max(1, len(files) // images)][:images]
    rows = []
    for size in sizes:
        squares = [square(folder / name, size) for name in chosen]
        rate = images_per_second([image.tobytes() for image in squares], encoding="raw", size=size)
        rows.append((size, "raw", len(chosen), size * size * 3, size * size * 3, 0, f"{rate:.0f}"))
        for quality in qualities:
            stored = [encode_pixels(image, encoding="jpeg", jpeg_quality=quality) for image in squares]
            lengths = [len(content) for content in stored]
            rate = images_per_second(stored, encoding="jpeg", size=size)
            figures = (f"{np.mean(lengths):.0f}", max(lengths), f"{difference(stored, squares):.2f}", f"{rate:.0f}")
            rows.append((size, f"jpeg {quality}", len(chosen), *figures))
    click.echo(results.write("record_bytes", [dict(zip(COLUMNS, row, strict=True)) for row in rows]))


if __name__ == "__main__":
    main()
