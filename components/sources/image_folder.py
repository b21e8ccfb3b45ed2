"""Class folders as a source: `train/<class>/<image>`, beside it `val/` and perhaps `test/`, or one folder."""

import os
from pathlib import Path

from alexnet_tf.data.images import FORMATS
from alexnet_tf.errors import DataError
from components.sources.class_folders import SplitFolder, closest, differing, read_split_folder
from components.sources.files import ARCHIVES, Ignored, find_files, loose_files, read_file, subfolders, suffix
from components.sources.source import Listing, Source, key_text, listed_source
from components.sources.wordnet import WORD_FILES, class_names, read_words, without_words

FOLDERS = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}
_NAMES = frozenset(name for names in FOLDERS.values() for name in names)
# What others call these; a folder of such a name is never a class.
_OTHER_NAMES = frozenset(("training", "trainset", "train_set", "valid", "valset", "val_set", "testing", "testset",
                          "test_set", "eval", "evaluation"))  # fmt: skip
_MANY_BELOW = 2


def image_folder_source(folder: Path | None) -> Source:
    """Return the images of class folders.

    A class is a folder of `train/`, in the order of the names; its images may be at any depth. A `val/`
    without a `test/` counts as the test split, as in ImageNet, whose test labels are secret. Without `train/`
    the classes are the folders of `folder` itself, all of them for training. What is not used is `ignored`.

    Args:
        folder: Holds train/ and val/ (or validation/) or test/, or all three, or else the class folders.

    Raises:
        DataError: When there are no class folders, a class folder of train/ is empty, another split has a class that
            train/ has not, or something there looks like a split or a class that would be missing.
    """
    if folder is None or not folder.is_dir():
        raise DataError(
            f"The source image_folder expected files such as {folder or 'FOLDER'}/train/CLASS/x.jpeg, found no "
            f"such folder; put train/ and val/ there or set runtime.source_folder to the folder that has them."
        )
    present, ignored = _splits(folder)
    found = {split: read_split_folder(path) for split, path in present.items()}
    classes = found["train"].classes
    if len(classes) < 2:
        raise DataError(
            f"{present['train']}: expected two or more class folders, found {len(classes)}{_deeper(present['train'])}."
        )
    names = class_names([key_text(name) for name in classes], read_words((folder, present["train"])))
    listings, notes = {}, without_words(names, folder)
    for split, path in present.items():
        listings[split], others, told = _listing(path, split, classes, names, found[split])
        ignored += others
        notes += told
    return listed_source(names, listings, where=str(folder), ignored=ignored, notes=notes)


def _splits(folder: Path) -> tuple[dict[str, Path], list[Ignored]]:
    """Return the folder of each split, and what is beside them; without train/ the folder is the training split."""
    folders = subfolders(folder)
    _require_known_names(folder, folders)
    there = {split: [name for name in names if name in folders] for split, names in FOLDERS.items()}
    if len(there["validation"]) > 1:
        raise DataError(f"{folder}: expected validation/ or val/, found both; move one of them elsewhere.")
    found = {split: folder / names[0] for split, names in there.items() if names}
    if "train" not in found:
        if found:
            there_is = next(iter(found.values()))
            is_class = f"; {_way_out_of_a_class(there_is.name)}" if len(folders) > len(found) else ""
            raise DataError(
                f"{folder}: expected train/ beside {there_is}, found no train/ there; put train/ and "
                f"val/ into it or set runtime.source_folder to the folder that has them{is_class}."
            )
        if not folders:
            images = loose_files(folder)[0]
            held = f" but {len(images):,} images" if images else ""
            raise DataError(
                f"{folder}: expected train/ or a folder for each class, found no train/ there and no folder{held}; put "
                f"train/ and val/ into it, or the class folders."
            )
        return {"train": folder}, []
    if len(found) == 1:
        _require_no_classes_beside(folder, [name for name in folders if name not in _NAMES])
    if "test" not in found and "validation" in found:
        found["test"] = found.pop("validation")
    images, others = loose_files(folder)
    beside = [Ignored(f"{name}/", "a folder beside train/") for name in folders if name not in _NAMES]
    beside += [Ignored(name, "an image beside train/") for name in images]
    beside += [each for each in others if each.name not in WORD_FILES]
    return found, [Ignored(key_text(name), reason) for name, reason in beside]


def _require_no_classes_beside(folder: Path, beside: list[str]) -> None:
    """Refuse folders with images, at any depth, beside a train/ that is alone: it may be a class as they are.

    Raises:
        DataError: When there are such folders.
    """
    for name in beside:
        if find_files(folder / name)[0]:
            raise DataError(
                f"{folder}: expected train/ with all class folders, found {name}/ with images beside it; "
                f"{_way_out_of_a_class('train')}, else move {name}/ elsewhere."
            )


def _way_out_of_a_class(name: str) -> str:
    return f"if {name}/ is a class, move it and the other class folders into a new train/"


def _require_known_names(folder: Path, folders: list[str]) -> None:
    """Refuse what looks like a split that would not be read.

    Raises:
        DataError: When there is one.
    """
    has_train = "train" in folders
    for name in folders:
        small = name.casefold()
        unknown = small in _OTHER_NAMES or (small in _NAMES and name not in _NAMES)
        if unknown and (has_train or subfolders(folder / name)):
            known = next((known for known in ("train", "val", "test") if small.startswith(known)), "val or test")
            raise DataError(
                f"{folder}: expected folders called train, val and test, found {name!r}; rename it to {known} or "
                f"move it elsewhere."
            )
    inner = [] if has_train else [name for name in folders if "train" in subfolders(folder / name)]
    if len(inner) > 1:
        raise DataError(
            f"{folder}: expected train/ in it, found train/ in {len(inner)} folders such as {inner[0]}/ and "
            f"{inner[1]}/; set runtime.source_folder to one of them or, if these are the classes, have train/CLASS/ for"
            f" CLASS/train/."
        )
    if inner:
        raise DataError(
            f"{folder}: expected train/ in it, found {folder / inner[0]}/train; set runtime.source_folder to "
            f"{folder / inner[0]}."
        )
    for name, _ in loose_files(folder)[1]:
        stem = name.partition(".")[0]
        if suffix(name) in ARCHIVES and stem in _NAMES - set(folders):
            raise DataError(f"{folder}: expected {stem}/, found the archive {name}; unpack it or move it elsewhere.")


def _deeper(root: Path) -> str:
    """Say what may be the matter with a folder that has one class folder at most, and the way out."""
    (only,) = subfolders(root)
    inside = subfolders(root / only)
    if len(inside) < _MANY_BELOW:
        return f"; an image belongs in {root.name}/CLASS/"
    mend = f"move these up into {root}" if root.name == "train" else f"set runtime.source_folder to {root / only}"
    return f", {only}/, with {len(inside):,} folders in it; if these are the classes, {mend}"


def _listing(
    root: Path, split: str, classes: list[str], names: tuple[str, ...], found: SplitFolder
) -> tuple[Listing, list[Ignored], list[str]]:
    """Return the images of a split, what was passed over, and what may be meant otherwise."""
    _require_known_classes(root, classes, found.classes)
    beginning = "train" if split == "train" else root.name
    keys, labels, paths, notes = [], [], [], []
    ignored = [Ignored(f"{beginning}/{name}", why) for name, why in found.ignored if name not in WORD_FILES]
    for label, folder in enumerate(classes):
        if not os.path.isdir(root / folder):
            continue  # a class without test images is for the stage validate to judge
        images, others = find_files(root / folder)
        ignored += [Ignored(f"{beginning}/{folder}/{name}", reason) for name, reason in others]
        if not images:
            held = f" but {others[0].name}, {others[0].reason}" if others else ""
            raise DataError(
                f"{root / folder}: expected image files, found none{held} ({', '.join(FORMATS)}); fill "
                f"the folder or remove it."
            )
        below = {path.partition("/")[0] for path in images if "/" in path}
        if len(below) >= _MANY_BELOW and all("/" in path for path in images):
            notes.append(f"{beginning}/{key_text(folder)}/ is one class, though its images are in {len(below)} folders")
        paths += [f"{folder}/{path}" for path in images]
        keys += [key_text(f"{beginning}/{names[label]}/{path}") for path in images]
        labels += [label] * len(images)
    listing = Listing(keys, labels, lambda position: read_file(root / paths[position]))
    return listing, [Ignored(key_text(name), reason) for name, reason in ignored], notes


def _require_known_classes(root: Path, classes: list[str], found: list[str]) -> None:
    unknown = sorted(set(found) - set(classes))
    if not unknown:
        return
    alike = closest(unknown[0], classes)
    if alike:
        raise DataError(
            f"{root}: expected only classes that train/ has, found {unknown[0]!r}, where train/ has {alike!r} "
            f"({differing(unknown[0], alike)}); give both the same name."
        )
    raise DataError(
        f"{root}: expected only classes that train/ has, found {unknown[0]!r} ({len(unknown)} in all); "
        f"remove the folder or add the class to train/."
    )
