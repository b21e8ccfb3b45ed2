"""A folder of images made into another of squares, once, so that a large set fits a small disk (§2: 256 × 256).

Not a stage: what it writes is a source like any other, with the same folders and names. PNG keeps the pixels that
the stage preprocess would make, so that its records come out equal; JPEG is smaller and nearly so.
"""

import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from alexnet_tf.data.images import ImageRejected, decode, to_square
from alexnet_tf.errors import ConfigError, DataError
from alexnet_tf.whole_file import remove_unfinished, write_whole
from components.beam.run import run_shards
from components.interfaces import Runtime
from components.sources.files import Ignored, find_files, read_file
from components.sources.imagenet2012_labels import SOLUTION
from components.sources.source import key_text
from components.sources.wordnet import WORD_FILES

Encoding = Literal["png", "jpeg"]
REPORT = "conversion.json"
BESIDE = (*WORD_FILES, SOLUTION)
"""Files that the sources look for beside the images: words for classes, classes of ImageNet's validation images."""
FILES_PER_TASK = 256

_SUFFIX = {"png": ".png", "jpeg": ".jpeg"}
_JPEG_QUALITY = 95
_EXAMPLES = 20  # of the files of a kind: ImageNet has half a million annotations


@dataclass(frozen=True)
class ConversionTask:
    """Convert the files that `pairs` lists: a JSON file of [file to read, file to write]."""

    source: str
    destination: str
    pairs: str
    size: int
    encoding: Encoding
    max_pixels: int


def convert(
    source: Path, destination: Path, *, size: int, encoding: Encoding, max_pixels: int, runtime: Runtime
) -> dict:
    """Write every image below `source` as a square to the same place below `destination`, and copy `BESIDE`.

    Started again after a kill, it goes on where it was: a file has its name only when it is whole.

    Args:
        source: A folder; links in it are followed.
        destination: Made if missing; must hold nothing of another conversion and not be in `source`.
        size: Side of the squares in pixels.
        encoding: "png" keeps the pixels exactly; "jpeg" (quality 95, full colour) takes about a third of the room.
        max_pixels: A larger image is rejected, as by the stage preprocess.
        runtime: Its Beam runner does the work.

    Returns:
        What `conversion.json` in `destination` then says: size, encoding, num_images; `rejected`, images that cannot be
        used, as a list of {file, reason}; and `ignored`, what else was there: a list of {reason, count, examples}.

    Raises:
        ConfigError: When `source` is no folder, or `destination` a file or a folder in `source`.
        DataError: When there is no image, or `destination` holds other files.
    """
    _require_places(source, destination)
    settings = {"size": size, "encoding": encoding}
    _check_destination(destination, settings)
    files, ignored = find_files(source)
    if not files:
        raise DataError(f"{source}: expected image files, found none.")
    scratch = destination / ".conversion"
    scratch.mkdir(parents=True, exist_ok=True)
    write_whole(scratch / "settings.json", json.dumps(settings))
    folders = str(source.absolute()), str(destination.absolute())  # workers may have another current folder
    pairs = [list(pair) for pair in zip(files, _targets(files, _SUFFIX[encoding]), strict=True)]
    tasks = []
    for start in range(0, len(pairs), FILES_PER_TASK):
        part = scratch.absolute() / f"files-{start}.json"
        part.write_text(json.dumps(pairs[start : start + FILES_PER_TASK]), encoding="utf-8")
        tasks.append(ConversionTask(*folders, str(part), size, encoding, max_pixels))
    found = run_shards(convert_files, tasks, runtime=runtime, scratch=scratch, description="convert", unit="parts")
    rejected = [{"file": key_text(file), "reason": reason} for part in found for file, reason in part]
    report = {**settings, "num_images": len(files) - len(rejected), "rejected": rejected, "ignored": _ignored(ignored)}
    for name in BESIDE:
        if (source / name).is_file():
            write_whole(destination / name, (source / name).read_bytes())
    for folder in {destination, *((destination / target).parent for _, target in pairs)}:
        remove_unfinished(folder)  # of a run that was killed; sources pass hidden files over
    write_whole(destination / REPORT, json.dumps(report, indent=1) + "\n")
    shutil.rmtree(scratch)
    return report


def convert_files(task: ConversionTask) -> list[list[str]]:
    """Convert the files of one task, in a Beam worker, and return those that cannot be, each with the reason."""
    rejected = []
    for source, target in json.loads(Path(task.pairs).read_text(encoding="utf-8")):
        path = Path(task.destination, target)
        if path.exists():
            continue  # from before a kill
        content, problem = read_file(Path(task.source, source))
        try:
            if problem:
                raise ImageRejected(problem)
            image = to_square(decode(content, max_pixels=task.max_pixels), task.size)
        except ImageRejected as error:
            rejected.append([source, error.reason])
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, _encoded(image, task.encoding))
    return rejected


def _require_places(source: Path, destination: Path) -> None:
    if not source.is_dir():
        raise ConfigError(
            f"{source}: expected a folder of images, found none; name the one that holds train/ and val/."
        )
    if destination.exists() and not destination.is_dir():
        raise ConfigError(f"{destination}: expected a folder or a new name, found a file; name another.")
    if Path(os.path.realpath(destination)).is_relative_to(os.path.realpath(source)):
        raise ConfigError(f"{destination}: expected a folder outside of {source}; name another.")


def _ignored(ignored: Sequence[Ignored]) -> list[dict]:
    """Count the files that are not converted by reason, with a few names each; those of `BESIDE` are copied."""
    names: dict[str, list[str]] = {}
    for name, reason in ignored:
        if name not in BESIDE:
            names.setdefault(reason, []).append(key_text(name))
    return [{"reason": reason, "count": len(each), "examples": each[:_EXAMPLES]} for reason, each in names.items()]


def _encoded(image: Image.Image, encoding: Encoding) -> bytes:
    stream = io.BytesIO()
    if encoding == "png":
        image.save(stream, "PNG", compress_level=1)
    else:
        image.save(stream, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return stream.getvalue()


def _targets(files: Sequence[str], suffix: str) -> list[str]:
    """Return names with another suffix, no two alike: where two would be (`a.jpg`, `a.png`), the old one stays, too."""
    targets = [os.path.splitext(file)[0] + suffix for file in files]
    while alike := {target for target, count in Counter(targets).items() if count > 1}:
        targets = [old + suffix if new in alike else new for old, new in zip(files, targets, strict=True)]
    return targets


def _check_destination(destination: Path, settings: dict) -> None:
    begun = destination / ".conversion" / "settings.json"
    if begun.is_file() and json.loads(begun.read_text(encoding="utf-8")) != settings:
        raise DataError(
            f"{destination}: expected {settings}, found a conversion with different settings; remove or finish it."
        )
    if not begun.is_file() and destination.exists() and any(destination.iterdir()):
        raise DataError(f"{destination}: expected an empty or new folder, found files in it; name another.")
