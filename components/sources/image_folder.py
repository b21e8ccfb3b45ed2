"""Class folders as a source: `train/<class>/<image>`, beside it `val/` and perhaps `test/`, or one folder."""

import os
from pathlib import Path

from alexnet_tf.errors import DataError
from components.sources.files import SUFFIXES, find_files, read_file, subfolders
from components.sources.source import Listing, Source, key_text, listed_source
from components.sources.wordnet import class_names, read_words

FOLDERS = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}


def image_folder_source(folder: Path | None) -> Source:
    """Return the images of class folders.

    A class is a folder of `train/`, in the order of the names; its images may lie at any depth. A `val/`
    without a `test/` counts as the test split, as in ImageNet, whose test labels are secret. Without `train/`
    the classes are the folders of `folder` itself, all of them for training. Files whose names are not those
    of images are passed over and listed.

    Args:
        folder: Holds train/ and val/ (or validation/) or test/, or all three, or else the class folders.

    Raises:
        DataError: When there are no class folders, a class folder of train/ is empty, or another split has a
            class that train/ has not.
    """
    present = _splits(folder)
    classes = subfolders(present["train"])
    if len(classes) < 2:
        way_out = "an image belongs into CLASS/ there"
        if present["train"] == folder:
            way_out = "and found no train/ there; put train/ and val/ into it, or the class folders"
        raise DataError(f"{present['train']}: expected two or more class folders, found {len(classes)}; {way_out}.")
    names = class_names([key_text(name) for name in classes], read_words((present["train"].parent, present["train"])))
    listings, ignored = {}, []
    for split, path in present.items():
        listings[split], others = _listing(path, split, classes, names)
        ignored += others
    return listed_source(names, listings, where=str(folder), ignored=ignored)


def _splits(folder: Path | None) -> dict[str, Path]:
    """Return the folder of each split; the whole folder is the training split where there is no train/."""
    if folder is None or not folder.is_dir():
        raise DataError(
            f"The source image_folder expected files such as {folder or 'FOLDER'}/train/CLASS/x.jpeg, found no "
            f"such folder; put train/ and val/ there or set runtime.source_folder to the folder that has them."
        )
    found = {
        split: next((folder / n for n in names if (folder / n).is_dir()), None) for split, names in FOLDERS.items()
    }
    if found["train"] is None:
        others = [str(path) for path in found.values() if path is not None]
        if others:
            raise DataError(
                f"{folder}: expected train/ beside {others[0]}, found no train/ there; put train/ and val/ into "
                f"it or set runtime.source_folder to the folder that has them."
            )
        return {"train": folder}
    if found["test"] is None:
        found["test"], found["validation"] = found["validation"], None
    return {split: path for split, path in found.items() if path is not None}


def _listing(root: Path, split: str, classes: list[str], names: tuple[str, ...]) -> tuple[Listing, list[str]]:
    """Return the images of a split, and what was passed over."""
    unknown = sorted(set(subfolders(root)) - set(classes))
    if unknown:
        raise DataError(
            f"{root}: expected only classes that train/ has, found {unknown[0]!r} ({len(unknown)} in all); "
            f"remove the folder or add the class to train/."
        )
    beginning = "train" if split == "train" else root.name
    keys, labels, paths, ignored = [], [], [], []
    for label, folder in enumerate(classes):
        if not os.path.isdir(root / folder):
            continue  # a class without test images is for the stage validate to judge
        images, others = find_files(root / folder)
        ignored += [key_text(f"{beginning}/{folder}/{path}") for path in others]
        if not images:
            raise DataError(
                f"{root / folder}: expected image files, found none ({', '.join(sorted(SUFFIXES))}); fill "
                f"the folder or remove it."
            )
        paths += [f"{folder}/{path}" for path in images]
        keys += [key_text(f"{beginning}/{names[label]}/{path}") for path in images]
        labels += [label] * len(images)
    return Listing(keys, labels, lambda position: read_file(root / paths[position])), ignored
