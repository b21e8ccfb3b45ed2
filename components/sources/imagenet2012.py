"""ILSVRC-2012 as a source: from its two tar files, from Kaggle's layout, or from class folders.

All three give the same keys, labels and bytes, so that they end in equal data sets where the same file of words
lies beside them.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from alexnet_tf.errors import DataError
from components.sources.files import find_files, read_file, subfolders
from components.sources.imagenet2012_labels import validation_ids
from components.sources.source import Listing, Source, key_text, listed_source
from components.sources.tar_members import members, read_member
from components.sources.wordnet import class_names, read_words

TRAIN_TAR, VALIDATION_TAR = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"
DATA_FOLDERS = ("", "Data/CLS-LOC", "ILSVRC/Data/CLS-LOC")
TAR_FOLDERS = ("", "downloads/manual", "tfds/downloads/manual")
_Named = tuple[list[str], list[str]]


def imagenet2012_source(folder: Path | None) -> Source:
    """Return ImageNet's training images, and its validation images as the test split: the test labels are secret.

    Keys are `train/<WordNet id>/<file>` and `val/<WordNet id>/<file>`; labels follow the sorted ids, as in
    tensorflow-datasets and Caffe.

    Args:
        folder: Holds the two tar files (itself, or in `downloads/manual/`), or train/ and val/ (itself, or in
            `ILSVRC/Data/CLS-LOC/`). The files of a flat val/ get their labels from LOC_val_solution.csv, the
            XML annotations, or the list that comes with tensorflow-datasets.

    Raises:
        DataError: When none of these is there, an archive is cut short, or a validation image has no label.
    """
    for place in (folder / end for end in DATA_FOLDERS) if folder else ():
        if (place / "train").is_dir() and (place / "val").is_dir():
            return _from_folders(place, folder or place)
    for place in (folder / end for end in TAR_FOLDERS) if folder else ():
        if (place / TRAIN_TAR).is_file() and (place / VALIDATION_TAR).is_file():
            return _from_tars(place, folder or place)
    raise DataError(
        f"The source imagenet2012 found neither {TRAIN_TAR} and {VALIDATION_TAR} nor train/ and val/ (itself or in "
        f"ILSVRC/Data/CLS-LOC/) in {folder or 'runtime.source_folder, which is unset'}; fetch the two tar files from "
        f"https://image-net.org/download-images (an account is needed) or the data of Kaggle's "
        f"imagenet-object-localization-challenge, and put them there."
    )


def _from_folders(place: Path, folder: Path) -> Source:
    around = [place, place.parents[1], place.parents[2], folder]
    classes = subfolders(place / "train")
    _require_classes(classes, place / "train")
    train, ignored = find_files(place / "train")
    if subfolders(place / "val"):
        val, others = find_files(place / "val")
        ids = [path.partition("/")[0] for path in val]
    else:
        val, others = find_files(place / "val")
        ids = validation_ids(val, folders=around)
    named = {"train": ([path.partition("/")[0] for path in train], train), "val": (ids, val)}
    loads = {split: _folder_load(place / split, paths) for split, (_, paths) in named.items()}
    return _source(classes, named, loads, around, str(place), ignored + others)


def _folder_load(root: Path, paths: list[str]):
    return lambda position: read_file(root / paths[position])


def _from_tars(place: Path, folder: Path) -> Source:
    train = list(members(place / TRAIN_TAR, nested=True))
    val = list(members(place / VALIDATION_TAR))
    train_ids = [member.name.partition("/")[0].removesuffix(".tar") for member in train]
    around = [place, folder]
    named = {
        "train": (train_ids, [member.name for member in train]),
        "val": (validation_ids([member.name for member in val], folders=around), [member.name for member in val]),
    }
    classes = sorted(set(train_ids))
    _require_classes(classes, place / TRAIN_TAR)
    loads = {}
    for split, name, found in (("train", TRAIN_TAR, train), ("val", VALIDATION_TAR, val)):
        descriptor = os.open(place / name, os.O_RDONLY)  # open as long as the process: read at random
        loads[split] = _tar_load(descriptor, found)
    return _source(classes, named, loads, around, str(place), ())


def _tar_load(descriptor: int, found: list):
    return lambda position: read_member(descriptor, found[position])


def _require_classes(classes: Sequence[str], where: Path) -> None:
    if len(classes) < 2:
        raise DataError(f"{where}: expected two or more classes such as n01440764, found {len(classes)}.")


def _source(
    classes: Sequence[str],
    named: dict[str, _Named],
    loads: dict,
    around: Sequence[Path],
    where: str,
    ignored: Sequence[str],
) -> Source:
    label_of = {name: label for label, name in enumerate(classes)}
    listings = {}
    for split, (ids, paths) in named.items():
        unknown = sorted(set(ids) - set(classes))
        if unknown:
            raise DataError(f"{where}: expected in {split} only the classes of train, found {unknown[0]!r}.")
        keys = [key_text(f"{split}/{name}/{path.rpartition('/')[2]}") for name, path in zip(ids, paths, strict=True)]
        listings[split] = Listing(keys, [label_of[name] for name in ids], loads[split])
    names = class_names(classes, read_words(around))
    found = {"train": listings["train"], "test": listings["val"]}
    return listed_source(names, found, where=where, ignored=[key_text(name) for name in ignored])
