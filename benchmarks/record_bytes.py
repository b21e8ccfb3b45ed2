"""What an image costs raw and as JPEG: bytes on disk, and what JPEG takes from it.

    python -m benchmarks.record_bytes FOLDER

Takes images evenly from all those below the folder and writes benchmarks/results/record_bytes.csv: bytes an image, the
largest of them, and the mean absolute difference from the raw pixels in grey levels of 255. How fast such records are
read is for `benchmarks.input_side`.
"""

from pathlib import Path

import click
import numpy as np
from PIL import Image

from alexnet_tf.data.evenly_spaced import evenly_spaced
from alexnet_tf.data.images import ImageRejected, decode, to_square
from alexnet_tf.data.pixel_codec import decode_pixels, encode_pixels
from alexnet_tf.errors import AlexNetError
from benchmarks import results
from components.sources.files import find_files
from pipeline.commands.base import Command

COLUMNS = ("size", "encoding", "images", "bytes_per_image", "largest", "mean_difference")


def square(path: Path, size: int) -> Image.Image:
    """Return an image as the stage preprocess makes it."""
    try:
        return to_square(decode(path.read_bytes(), max_pixels=50_000_000), size)
    except ImageRejected as error:
        raise AlexNetError(f"{path}: {error.reason}; take it out") from error


def difference(stored: list[bytes], squares: list[Image.Image]) -> float:
    """Return the mean absolute difference of JPEGs from their originals, in grey levels of 255."""
    pairs = (
        (decode_pixels(content, encoding="jpeg", size=image.width).astype(int), np.asarray(image))
        for content, image in zip(stored, squares, strict=True)
    )
    return float(np.mean([np.abs(pixels - original).mean() for pixels, original in pairs]))


@click.command(cls=Command)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--images", default=300, show_default=True, type=click.IntRange(min=1), help="All are held in memory.")
@click.option(
    "--size",
    "sizes",
    multiple=True,
    type=click.IntRange(1),
    default=(256, 144),
    show_default=True,
    help="Pixels of a side.",
)
@click.option(
    "--quality",
    "qualities",
    multiple=True,
    type=click.IntRange(1, 100),
    default=(85, 95),
    show_default=True,
    help="JPEG's.",
)
def main(folder: Path, images: int, sizes: tuple[int, ...], qualities: tuple[int, ...]) -> None:
    """Measure, and write the rows."""
    files, _ = find_files(folder)
    if not files:
        raise click.UsageError(f"{folder}: expected image files, found none")
    chosen = [files[n] for n in evenly_spaced(len(files), images)]
    rows = []
    for size in sizes:
        squares = [square(folder / name, size) for name in chosen]
        rows.append((size, "raw", len(chosen), size * size * 3, size * size * 3, 0))
        for quality in qualities:
            stored = [encode_pixels(image, encoding="jpeg", jpeg_quality=quality) for image in squares]
            lengths = [len(content) for content in stored]
            figures = (f"{np.mean(lengths):.0f}", max(lengths), f"{difference(stored, squares):.2f}")
            rows.append((size, f"jpeg {quality}", len(chosen), *figures))
    click.echo(results.write("record_bytes", [dict(zip(COLUMNS, row, strict=True)) for row in rows]))


if __name__ == "__main__":
    main()
