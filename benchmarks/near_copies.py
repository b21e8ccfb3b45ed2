"""How many planted copies `validate` finds, and what the search costs at the size of ImageNet.

    python -m benchmarks.near_copies FOLDER

Writes benchmarks/results/near_copies.csv, from which `python -m benchmarks.pages` renders docs/own_images.md. Of images
taken evenly from those below FOLDER it makes one changed copy each, and counts the copies whose hash is within
`validate.near_copy_bits` of their original's, and the pairs of originals that are no copies and yet as near. The plain
hash of the library ImageHash, without the reduction that comes first here, is beside it. The search alone runs in a
process of its own on random hashes, of which one in a hundred has a near copy.
"""

import io
import time
from collections.abc import Callable
from pathlib import Path

import click
import imagehash
import numpy as np
from PIL import Image

from alexnet_tf.data.evenly_spaced import evenly_spaced
from alexnet_tf.data.images import ImageRejected, decode
from alexnet_tf.devices.peak_memory import peak_memory_bytes
from alexnet_tf.validation.near_duplicates import BITS, near_pairs, perceptual_hash
from benchmarks import results
from components.sources.files import find_files
from pipeline.commands.base import Command

IMAGENET = 1_281_167  # training images of ILSVRC-2012
COLUMNS = ("subject", "hash", "bits", "images", "found", "others", "seconds", "mib")


def _recompressed(image: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=50)
    return Image.open(stream).convert("RGB")


def _cropped(image: Image.Image) -> Image.Image:
    width, height = image.size
    return image.crop((width // 50, height // 50, width - width // 50, height - height // 50))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "two thirds of the size": lambda image: image.resize((image.width * 2 // 3, image.height * 2 // 3)),
    "a quarter of the size": lambda image: image.resize((image.width // 4, image.height // 4)),
    "JPEG of quality 50": _recompressed,
    "a tenth darker": lambda image: image.point(lambda value: value * 0.9),
    "2 % cut off each side": _cropped,
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


def _plain_hash(image: Image.Image) -> int:
    return int(str(imagehash.phash(image)), 16)


HASHES = {"ours": perceptual_hash, "plain": _plain_hash}


@click.command(cls=Command)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--images", default=1000, show_default=True, type=click.IntRange(2), help="Images that are copied.")
@click.option("--bits", default=4, show_default=True, type=click.IntRange(1, 16), help="As validate.near_copy_bits.")
def main(folder: Path, images: int, bits: int) -> None:
    """Measure, and write the rows."""
    files, _ = find_files(folder)
    if not files:
        raise click.UsageError(f"{folder}: expected image files, found none")
    chosen = [files[n] for n in evenly_spaced(len(files), images)]
    originals = [picture for name in chosen if (picture := opened(folder / name))]
    rows = []
    for name, function in HASHES.items():
        before = np.array([function(image) for image in originals], np.uint64)
        for change, make in CHANGES.items():
            after = np.array([function(make(image)) for image in originals], np.uint64)
            found = int((np.bitwise_count(before ^ after) <= bits).sum())
            rows.append((change, name, bits, len(originals), found, "", "", ""))
        rows.append(("no copies", name, bits, len(originals), "", num_near_pairs(before, bits), "", ""))
    for count in (10_000, 100_000, IMAGENET):
        found = results.in_own_process("benchmarks.near_copies", "search", count, bits)
        rows.append(("search", "", bits, count, found["found"], "", f"{found['seconds']:.2f}", f"{found['mib']:.0f}"))
    click.echo(results.write("near_copies", [dict(zip(COLUMNS, row, strict=True)) for row in rows]))


def opened(path: Path) -> Image.Image | None:
    """Return an image as `validate` sees it, or None where it cannot be read."""
    try:
        return decode(path.read_bytes(), max_pixels=50_000_000)
    except ImageRejected:
        return None


def num_near_pairs(hashes: np.ndarray, bits: int) -> int:
    """Count the pairs of images whose hashes differ in at most so many bits, those of equal hashes included.

    Args:
        hashes: (N,) uint64, one for each image.
        bits: 1 or more.
    """
    unique, counts = np.unique(hashes, return_counts=True)
    equal = counts * (counts - 1) // 2
    return int(equal.sum() + counts[near_pairs(unique, bits)].prod(axis=1).sum())


def search(count: int, bits: int) -> dict[str, float]:
    """Search so many random hashes in this process, and return what it took."""
    generator = np.random.default_rng(0)
    hashes = np.unique(generator.integers(0, 2**BITS, count, np.uint64))
    flipped = [sum(1 << int(bit) for bit in generator.choice(BITS, bits, replace=False)) for _ in range(256)]
    masks = np.array(flipped, np.uint64)  # without the type they are rounded to float64
    planted = hashes[::100]
    planted = planted ^ np.resize(masks, len(planted))
    both = np.unique(np.concatenate([hashes, planted]))
    started = time.perf_counter()
    pairs = near_pairs(both, bits)
    seconds = time.perf_counter() - started
    return {"found": len(pairs), "seconds": seconds, "mib": peak_memory_bytes() / 2**20}


if __name__ == "__main__":
    main()
