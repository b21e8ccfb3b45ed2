"""Files as people place them, and all that a source gives of them."""

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image


def write_image(path: Path, value: int) -> bytes:
    """Write a PNG whose colour tells the value, whatever the name ends with, and return its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (value % 256, value // 256, 7)).save(path, "PNG")
    return path.read_bytes()


def right(folder: Path) -> Path:
    """Lay out train/ and val/ with two classes of three images in each."""
    for number in range(6):
        write_image(folder / "train" / f"c{number % 2}" / f"{number}.png", number)
        write_image(folder / "val" / f"c{number % 2}" / f"{number}.png", 100 + number)
    return folder


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file of a name that may climb out."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def everything(source):
    """Names of classes, and split -> everything that is known of each image."""
    return source.class_names, {
        split: [vars(raw) for raw in source.read(split, np.arange(len(labels)))]
        for split, labels in source.labels.items()
    }
