"""ILSVRC-2012 as a source: from its two tar files, from Kaggle's layout, or from class folders.

All three give the same keys, labels and bytes, so that they end in equal data sets where the same file of words
is beside them.
"""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from alexnet_tf.errors import DataError
from components.sources.class_folders import read_split_folder
from components.sources.files import MANUAL_FOLDERS, Ignored, find_files, loose_files, read_file, subfolders
from components.sources.imagenet2012_labels import validation_ids
from components.sources.source import Listing, Source, key_text, listed_source
from components.sources.tar_members import members, read_member
from components.sources.wordnet import WORD_FILES, class_names, read_words, without_words

TRAIN_TAR, VALIDATION_TAR = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"
DATA_FOLDERS = ("", "Data/CLS-LOC", "ILSVRC/Data/CLS-LOC")
# Parts of the download that are of no use here; the images of test/ have no labels.
_KNOWN_FOLDERS = ("test", "Annotations", "ImageSets", "Data", "ILSVRC", "tfds", "downloads")
_KNOWN_FILES = ("ILSVRC2012_", "LOC_", "imagenet-object-localization-challenge")
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
    if folder is not None and folder.is_dir():
        for place in (folder / end for end in DATA_FOLDERS):
            if has_folders(place):
                return _from_folders(place, folder)
        for place in (folder / end for end in MANUAL_FOLDERS):
            if has_tars(place):
                return _from_tars(place, folder)
    raise DataError(f"The source imagenet2012 {_missing(folder)}")


def has_folders(place: Path) -> bool:
    """Whether a folder has both splits as folders."""
    return (place / "train").is_dir() and (place / "val").is_dir()


def has_tars(place: Path) -> bool:
    """Whether a folder has both splits as tar files."""
    return (place / TRAIN_TAR).is_file() and (place / VALIDATION_TAR).is_file()


def _missing(folder: Path | None) -> str:
    """Say what is there, what is not, and the way out."""
    fetch = (
        "fetch the two tar files from https://image-net.org/download-images (an account is needed) or the data of "
        "Kaggle's imagenet-object-localization-challenge, and put them there."
    )
    if folder is None or not folder.is_dir():
        return (
            f"expected {TRAIN_TAR} and {VALIDATION_TAR}, or train/ and val/, in "
            f"{folder or 'runtime.source_folder, which is unset'}, found no such folder; set it, {fetch}"
        )
    whole = f"expected {TRAIN_TAR} and {VALIDATION_TAR}, or train/ and val/ (itself or in ILSVRC/Data/CLS-LOC/), in"
    for inner in subfolders(folder):
        for pair in (("train", "val"), (TRAIN_TAR, VALIDATION_TAR)):
            if all((folder / inner / name).exists() for name in pair):
                return f"{whole} {folder}, found them in {folder / inner}; set runtime.source_folder to it."
    there = [
        str(path)
        for end in dict.fromkeys((*DATA_FOLDERS, *MANUAL_FOLDERS))
        for path in (folder / end / name for name in ("train", "val", TRAIN_TAR, VALIDATION_TAR))
        if path.exists()
    ]
    if there:
        parts = {"train": "val/", "val": "train/", TRAIN_TAR: VALIDATION_TAR, VALIDATION_TAR: TRAIN_TAR}
        first = Path(there[0])
        if len(there) > 1:
            return f"expected both as tar files or both as folders, found {' and '.join(there)}; unpack the tar file."
        return f"found {first}, expected {parts[first.name]} beside it, found none; {fetch}"
    near = [name for name, _ in loose_files(folder)[1] if name.lower().startswith(("ilsvrc", "imagenet"))]
    if near:
        return f"{whole} {folder}, found {', '.join(near[:3])}; rename or unpack what you have, or {fetch}"
    return f"{whole} {folder}, found neither; {fetch}"


def _from_folders(place: Path, folder: Path) -> Source:
    around = [place, *place.parents[1:3], folder]  # Kaggle has its lists two and three folders above the images'
    classes, beside = read_split_folder(place / "train")
    _require_classes(classes, place / "train")
    ignored = [Ignored(f"train/{name}", reason) for name, reason in beside]
    train, val = (_found(place / split, split, ignored) for split in ("train", "val"))
    if subfolders(place / "val"):
        loose = loose_files(place / "val")[0]
        if loose:
            raise DataError(
                f"{place / 'val'}: expected class folders or images, found both, {len(loose):,} images such as "
                f"{loose[0]} beside folders such as {subfolders(place / 'val')[0]}; move each image into the folder of "
                f"its class."
            )
        ids = [path.partition("/")[0] for path in val]
    else:
        ids = validation_ids(val, folders=around)
    train = [path for path in train if "/" in path]
    named = {"train": ([path.partition("/")[0] for path in train], train), "val": (ids, val)}
    loads = {split: _folder_load(place / split, paths) for split, (_, paths) in named.items()}
    notes = [f"{folder / tar} is not read" for tar in (TRAIN_TAR, VALIDATION_TAR) if (folder / tar).exists()]
    return _source(classes, named, loads, around, str(place), ignored + _beside(place), notes)


def _found(root: Path, split: str, ignored: list[Ignored]) -> list[str]:
    """Return the images below a folder, and add what else is in its folders to `ignored`."""
    images, others = find_files(root)
    ignored += [Ignored(f"{split}/{name}", reason) for name, reason in others if split == "val" or "/" in name]
    return images


def _beside(place: Path) -> list[Ignored]:
    """Name what is beside train/ and val/ and is no known part of ImageNet."""
    folders = [f"{name}/" for name in subfolders(place) if name not in (*_KNOWN_FOLDERS, "train", "val")]
    images, others = loose_files(place)
    files = [*images, *(name for name, _ in others if name not in WORD_FILES and not name.startswith(_KNOWN_FILES))]
    return [Ignored(name, "beside train/ and val/") for name in (*folders, *files)]


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
    return _source(classes, named, loads, around, str(place), (), ())


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
    ignored: Sequence[Ignored],
    notes: Sequence[str],
) -> Source:
    counts = Counter(named["train"][0])
    empty = [name for name in classes if not counts[name]]
    if empty:
        raise DataError(
            f"{where}: expected images of every class in train, found none of {empty[0]} ({len(empty)} in all); "
            f"unpack it again or remove it."
        )
    label_of = {name: label for label, name in enumerate(classes)}
    listings = {}
    for split, (ids, paths) in named.items():
        unknown = sorted(set(ids) - set(classes))
        if unknown:
            raise DataError(
                f"{where}: expected in {split} only the classes of train, found {unknown[0]!r} "
                f"({len(unknown)} in all); remove these images or add the class to train."
            )
        keys = [key_text(f"{split}/{name}/{path.rpartition('/')[2]}") for name, path in zip(ids, paths, strict=True)]
        listings[split] = Listing(keys, [label_of[name] for name in ids], loads[split])
    names = class_names(classes, read_words(around))
    found = {"train": listings["train"], "test": listings["val"]}
    known = [Ignored(key_text(name), reason) for name, reason in ignored]
    told = [*notes, *without_words(names, around[0])]
    return listed_source(names, found, where=where, ignored=known, notes=told)
