"""Tiny ImageNet as a source: unpacked, in its zip, in a zip that someone made again, or fetched.

What counts is the content: the set's own lists say which images there have to be, and a zip has a checksum of each
file. The name, size and bytes of the archive may differ from the official ones.
"""

import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from alexnet_tf.data.images import SUFFIXES
from alexnet_tf.errors import DataError
from components.sources.files import MANUAL_FOLDERS, Ignored, find_files, read_file, subfolders, suffix
from components.sources.source import Listing, Source, key_text, listed_source
from components.sources.tfds import find_prepared, tfds_source
from components.sources.wordnet import class_names, parse_words

URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
NAME = "tiny-imagenet-200"
_CLASSES, _WORDS, _ANNOTATIONS = "wnids.txt", "words.txt", "val/val_annotations.txt"
_NESTED = ("", NAME, f"{NAME}/{NAME}")  # the last as some programs unpack it
_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_ENCRYPTED = 0x1


@dataclass(frozen=True)
class Tree:
    """The files of the set, in a folder or in a zip.

    Attributes:
        where: Named in errors.
        names: Relative to the folder that holds wnids.txt.
        read: Returns the content of a file, or nothing and why it cannot be read.
    """

    where: str
    names: frozenset[str]
    read: Callable[[str], tuple[bytes, str]]

    def lines(self, name: str) -> list[str]:
        """Return the lines of a text file that has to be there.

        Raises:
            DataError: When it is missing or cannot be read.
        """
        content, problem = self.read(name) if name in self.names else (b"", "found none")
        if problem:
            raise DataError(f"{self.where}: expected it to hold {NAME}/{name}, {problem}; {_way_out()}.")
        return content.decode("utf-8-sig", errors="replace").splitlines()


class Entry(NamedTuple):
    """One image: its name in `Tree`, the WordNet id of its class, and its box in four numbers if known."""

    name: str
    identity: str
    box: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """Its name without folders, which no other image of the set has."""
        return self.name.rpartition("/")[2]


class _Row(NamedTuple):
    """What is known of an image before it is found; it is in the first of `places` that has it."""

    file: str
    identity: str
    box: tuple[str, ...]
    places: tuple[str, ...]


class Content(NamedTuple):
    """What the set holds: a name for each WordNet id, in order, and the images of its two labelled splits."""

    names: dict[str, str]
    train: list[Entry]
    validation: list[Entry]


def tiny_imagenet_source(folder: Path | None) -> Source:
    """Return Tiny ImageNet, its validation images as the test split: its own test images have no labels.

    Args:
        folder: Holds what tensorflow-datasets prepared before, or the set unpacked (it is the folder
            tiny-imagenet-200 or holds it) or its zip, itself or in `downloads/manual/`. Where none is there, the
            zip is fetched.

    Raises:
        DataError: When the set is not there and cannot be fetched, or not whole.
    """
    place = None if folder is None or find_prepared("tiny_imagenet", folder) else find_place(folder)
    if place is None:
        from components.sources import tiny_imagenet_builder  # tensorflow-datasets takes half a second

        return tfds_source("tiny_imagenet", folder, builder=tiny_imagenet_builder.__name__)
    tree = open_tree(place)
    content = read_content(tree)
    labels = {identity: label for label, identity in enumerate(content.names)}

    def listing(split: str, entries: Sequence[Entry]) -> Listing:
        keys = [key_text(f"{split}/{content.names[entry.identity]}/{entry.file}") for entry in entries]
        return Listing(
            keys, [labels[entry.identity] for entry in entries], lambda position: tree.read(entries[position].name)
        )

    splits = {"train": listing("train", content.train), "test": listing("validation", content.validation)}
    used = {entry.name for entries in (content.train, content.validation) for entry in entries}
    unused = [name for name in tree.names - used if suffix(name) in SUFFIXES]
    ignored = [Ignored(key_text(name), "in none of the set's lists") for name in unused if not name.startswith("test/")]
    notes = ["the images of test/ have no labels and are not used"] if len(ignored) < len(unused) else []
    return listed_source(tuple(content.names.values()), splits, where=tree.where, ignored=ignored, notes=notes)


def find_place(folder: Path) -> Path | None:
    """Return the unpacked set's folder, else its zip, else None."""
    for place in (folder / end for end in MANUAL_FOLDERS):
        for inner in (place / nested for nested in _NESTED):
            if (inner / _CLASSES).is_file():
                return inner
    for place in (folder / end for end in MANUAL_FOLDERS if (folder / end).is_dir()):
        # A hidden ._NAME.zip is what macOS knows of NAME.zip.
        if zips := sorted(path for path in place.glob("[!.]*.zip") if "tiny-imagenet" in path.name.lower()):
            return zips[0]
    for place in (folder / end for end in MANUAL_FOLDERS):
        if (place / NAME).is_dir():
            raise DataError(f"{place / NAME}: expected {_CLASSES}, the list of classes, found none; {_way_out()}.")
    for inner in subfolders(folder) if folder.is_dir() else ():
        if (folder / inner / NAME / _CLASSES).is_file() or (folder / inner / f"{NAME}.zip").is_file():
            raise DataError(
                f"{folder}: expected {NAME}/ or {NAME}.zip in it, found it in {folder / inner}; set "
                f"runtime.source_folder to {folder / inner}."
            )
    return None


def open_tree(path: Path) -> Tree:
    """List the files of an unpacked set or of a zip.

    Raises:
        DataError: When it is a zip that is cut short, is encrypted, or has names that lead out of its folder.
    """
    return _zip_tree(path) if path.is_file() else _folder_tree(path)


def _folder_tree(path: Path) -> Tree:
    images, others = find_files(path)
    names = frozenset((*images, *(name for name, _ in others)))
    return Tree(str(path), names, lambda name: read_file(path / name))


def _zip_tree(path: Path) -> Tree:
    try:
        archive = zipfile.ZipFile(path)  # open as long as the process: read at random
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: expected a whole zip file ({error}); {_way_out()}.") from error
    infos = [info for info in archive.infolist() if not info.is_dir() and not info.filename.startswith("__MACOSX/")]
    for info in infos:
        parts = PurePosixPath(info.filename)
        if parts.is_absolute() or ".." in parts.parts:
            raise DataError(f"{path}: expected names within {NAME}/, found {info.filename!r}; {_way_out()}.")
        if info.flag_bits & _ENCRYPTED or info.compress_type not in _READABLE:
            how = "encrypted" if info.flag_bits & _ENCRYPTED else f"compressed by method {info.compress_type}"
            raise DataError(f"{path}: expected files that Python can unpack, found {info.filename!r} {how}; unpack it.")
    lists = [info.filename for info in infos if PurePosixPath(info.filename).name == _CLASSES]
    if not lists:
        raise DataError(f"{path}: expected it to hold {NAME}/{_CLASSES}, found none; {_way_out()}.")
    root = min(lists, key=len).removesuffix(_CLASSES)

    def read(name: str) -> tuple[bytes, str]:
        try:
            return archive.read(root + name), ""
        except Exception as error:  # zlib's, lzma's, zipfile's own: the file is damaged or cut short
            return b"", f"damaged in the archive ({type(error).__name__})"

    names = (info.filename for info in infos if info.filename.startswith(root))
    return Tree(str(path), frozenset(name.removeprefix(root) for name in names), read)


def read_content(tree: Tree) -> Content:
    """Return which images there are, by the set's own lists where these are there, else by its folders.

    Raises:
        DataError: When an image of a list is missing, a class has none, or a list names another class.
    """
    ids = sorted(filter(None, map(str.strip, tree.lines(_CLASSES))))
    words = parse_words(tree.lines(_WORDS)) if _WORDS in tree.names else {}
    found = Content(
        dict(zip(ids, class_names(ids, words), strict=True)),
        list(_listed(tree, _train(tree, ids))),
        list(_listed(tree, _validation(tree, ids))),
    )
    for split, entries in (("train", found.train), ("val", found.validation)):
        counts = Counter(entry.identity for entry in entries)
        empty = [identity for identity in ids if not counts[identity]]
        if empty and (split == "train" or not entries):
            how = f" by {_ANNOTATIONS} or in class folders" if split == "val" else ""
            raise DataError(
                f"{tree.where}: expected images of every class of {_CLASSES} in {split}/{how}, found none of "
                f"{empty[0]} ({len(empty)} in all); {_way_out()}."
            )
    return found


def _train(tree: Tree, ids: Sequence[str]) -> Iterator[_Row]:
    without_list = []
    for identity in ids:
        boxes, places = f"train/{identity}/{identity}_boxes.txt", (f"train/{identity}/images", f"train/{identity}")
        if boxes not in tree.names:
            without_list.append(identity)
            continue
        for line in filter(None, tree.lines(boxes)):
            file, *box = line.split("\t")
            yield _Row(file, identity, tuple(box[:4]), places)
    yield from _in_class_folders(tree, "train", without_list)


def _validation(tree: Tree, ids: Sequence[str]) -> Iterator[_Row]:
    if _ANNOTATIONS not in tree.names:  # people sort these images into class folders and delete the list
        yield from _in_class_folders(tree, "val", ids)
        return
    for line in filter(None, tree.lines(_ANNOTATIONS)):
        file, *rest = line.split("\t")
        if not rest or rest[0] not in ids:
            raise DataError(
                f"{tree.where}: expected only the classes of {_CLASSES} in {_ANNOTATIONS}, found {line!r}; "
                f"{_way_out()}."
            )
        places = ("val/images", f"val/{rest[0]}/images", f"val/{rest[0]}", "val")
        yield _Row(file, rest[0], tuple(rest[1:5]), places)


def _in_class_folders(tree: Tree, split: str, ids: Sequence[str]) -> Iterator[_Row]:
    wanted = set(ids)
    for name in sorted(tree.names) if wanted else ():
        top, identity, *_ = (*name.split("/"), "", "")
        if top == split and identity in wanted and suffix(name) in SUFFIXES:
            folder, _, file = name.rpartition("/")
            yield _Row(file, identity, (), (folder,))


def _listed(tree: Tree, rows: Iterator[_Row]) -> Iterator[Entry]:
    for row in rows:
        name = next((name for place in row.places if (name := f"{place}/{row.file}") in tree.names), None)
        if name is None:
            raise DataError(
                f"{tree.where}: expected {row.places[0]}/{row.file}, which its list names, found none; {_way_out()}."
            )
        yield Entry(name, row.identity, row.box)


def _way_out() -> str:
    return f"fetch {URL} again, or unpack it again"
