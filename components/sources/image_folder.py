"""Class folders as a source: `train/<class>/<image>`, beside it `val/` and perhaps `test/`."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from alexnet_tf.errors import DataError
from components.sources.source import RawImage, Source, order_value, sorted_order

_SUFFIXES = frozenset((".jpeg", ".jpg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"))
_FOLDERS = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}
# ImageNet's folders are named by WordNet ids; these are the words for the ten classes of Imagenette.
_WORDS = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}


def image_folder_source(folder: Path | None) -> Source:
    """Return the images of class folders.

    A class is a folder of `train/`, in the order of the names. A `val/` without a `test/` counts as the test
    split, as in ImageNet, whose test labels are secret. Files whose name is not that of an image are ignored.

    Args:
        folder: Holds train/ and val/ (or validation/) or test/, or all three.

    Raises:
        DataError: When there is no train/ with class folders, a class folder is empty, or another split has a
            class that train/ has not.
    """
    if folder is None or not (folder / "train").is_dir():
        raise DataError(
            f"The source image_folder expected files such as {folder or 'FOLDER'}/train/CLASS/x.jpeg, "
            f"found no train/ there; put train/ and val/ into it or set runtime.source_folder to the folder "
            f"that has them."
        )
    folders = {split: _existing(folder, names) for split, names in _FOLDERS.items()}
    if folders["test"] is None:
        folders["test"], folders["validation"] = folders["validation"], None
    present = {split: path for split, path in folders.items() if path is not None}
    classes = _subfolders(present["train"])
    if len(classes) < 2:
        raise DataError(
            f"{present['train']}: expected two or more class folders, found {len(classes)}; an image "
            f"belongs into train/CLASS/."
        )
    files = {split: _image_files(path, classes) for split, path in present.items()}

    def read(split: str) -> Iterator[RawImage]:
        paths, labels, root = *files[split], present[split]
        values = np.fromiter((order_value(f"{root.name}/{path}") for path in paths), np.uint64)
        for position in sorted_order(values, where=str(root)).tolist():
            label = labels[position]
            name = paths[position].partition("/")[2]
            key = f"{root.name}/{class_names[label]}/{name}"
            yield RawImage(key, label, (root / paths[position]).read_bytes())

    class_names = tuple(_WORDS.get(name, name) for name in classes)
    return Source(class_names, {split: len(paths) for split, (paths, _) in files.items()}, read)


def _existing(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _subfolders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _image_files(folder: Path, classes: list[str]) -> tuple[list[str], list[int]]:
    """Return the paths of a split's images relative to its folder, and their labels."""
    unknown = sorted(set(_subfolders(folder)) - set(classes))
    if unknown:
        raise DataError(
            f"{folder}: expected only classes that train/ has, found {unknown[0]!r} ({len(unknown)} in all); "
            f"remove the folder or add the class to train/."
        )
    paths, labels = [], []
    for label, name in enumerate(classes):
        if not (folder / name).is_dir():
            continue
        found = [f"{name}/{path.name}" for path in (folder / name).iterdir() if _is_image(path)]
        if not found:
            raise DataError(
                f"{folder / name}: expected image files, found none ({', '.join(sorted(_SUFFIXES))}); fill "
                f"the folder or remove it."
            )
        paths += found
        labels += [label] * len(found)
    return paths, labels


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")
