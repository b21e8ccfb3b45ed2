"""What an image costs on disk, raw and as JPEG, and what JPEG takes from it.

`python -m benchmarks.record_bytes FOLDER` takes images evenly from all files below the folder and prints CSV: bytes an
image, the largest of them, and the mean absolute difference from the raw pixels in grey levels of 255.
"""

from pathlib import Path

import click
import numpy as np

from alexnet_tf.images import decode, to_square
from alexnet_tf.stored_pixels import decode_pixels, encode_pixels


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--images", default=300, show_default=True, type=click.IntRange(min=1))
@click.option("--size", default=256, show_default=True, help="Side of the stored images, in pixels.")
@click.option("--quality", "qualities", multiple=True, type=int, default=(85, 95), show_default=True)
def main(folder: Path, images: int, size: int, qualities: tuple[int, ...]) -> None:
    """Print the table."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    chosen = files[:: max(1, len(files) // images)][:images]
    lengths: dict[int, list[int]] = {quality: [] for quality in qualities}
    errors: dict[int, list[float]] = {quality: [] for quality in qualities}
    for path in chosen:
        square = to_square(decode(path.read_bytes(), max_pixels=50_000_000), size)
        for quality in qualities:
            stored = encode_pixels(square, encoding="jpeg", jpeg_quality=quality)
            decoded = decode_pixels(stored, encoding="jpeg", size=size)
            lengths[quality].append(len(stored))
            errors[quality].append(float(np.abs(decoded.astype(int) - square).mean()))
    print("encoding,images,bytes_per_image,largest,mean_difference")
    print(f"raw,{len(chosen)},{size * size * 3},{size * size * 3},0")
    for quality in qualities:
        found, difference = lengths[quality], np.mean(errors[quality])
        print(f"jpeg {quality},{len(chosen)},{np.mean(found):.0f},{max(found)},{difference:.2f}")


if __name__ == "__main__":
    main()
