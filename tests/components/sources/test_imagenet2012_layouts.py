"""ILSVRC-2012 as people lay it out by mistake: what is said, that following it helps, and what is counted."""

import shutil
import tarfile
from pathlib import Path

import pytest

from alexnet_tf.errors import DataError
from components.sources.imagenet2012 import imagenet2012_source
from tests.components.small_dataset import jpeg
from tests.components.sources.placed import everything
from tests.components.sources.test_imagenet2012 import (
    IDS,
    TRAIN,
    VAL,
    class_folders,
    kaggle,
    tar,
    tars,
    write,
)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return everything(imagenet2012_source(class_folders(tmp_path_factory.mktemp("folders"))))


def moved(folder, old, new):
    (folder / new).parent.mkdir(parents=True, exist_ok=True)
    (folder / old).rename(folder / new)


def packed_classes(folder):
    class_folders(folder)
    for name in IDS:
        (folder / "train" / f"{name}.tar").write_bytes(tar(TRAIN[name]))
        shutil.rmtree(folder / "train" / name)


def unpack_classes(folder):
    for path in (folder / "train").glob("*.tar"):
        with tarfile.open(path) as archive:
            archive.extraction_filter = getattr(tarfile, "data_filter", None)  # new in Python 3.11.4
            archive.extractall(folder / "train" / path.stem)


def half_sorted(folder):
    kaggle(folder, "csv")
    data = folder / "ILSVRC/Data/CLS-LOC/val"
    (data / IDS[1]).mkdir()
    (data / "ILSVRC2012_val_00000001.JPEG").rename(data / IDS[1] / "ILSVRC2012_val_00000001.JPEG")


def sort_the_rest(folder):
    data = folder / "ILSVRC/Data/CLS-LOC/val"
    for file, (label, _) in VAL.items():
        (data / label).mkdir(exist_ok=True)
        if (data / file).exists():
            (data / file).rename(data / label / file)


# Layout: what makes it, what is said, and what is then done, which returns another folder if that is to be named.
WRONG = {
    "train full of class archives": (
        packed_classes,
        r"train: expected folders, found the archive n01440764\.tar \(3 such archives\); unpack it into",
        unpack_classes,
    ),
    "only the training tar": (
        lambda f: [tars(f), moved(f, "ILSVRC2012_img_val.tar", "elsewhere/val.tar")],
        r"found .*/ILSVRC2012_img_train\.tar, expected ILSVRC2012_img_val\.tar beside it, found none; fetch",
        lambda f: moved(f, "elsewhere/val.tar", "ILSVRC2012_img_val.tar"),
    ),
    "only the validation tar": (
        lambda f: [tars(f), moved(f, "ILSVRC2012_img_train.tar", "elsewhere/train.tar")],
        r"found .*/ILSVRC2012_img_val\.tar, expected ILSVRC2012_img_train\.tar beside it",
        lambda f: moved(f, "elsewhere/train.tar", "ILSVRC2012_img_train.tar"),
    ),
    "train unpacked, val not": (
        lambda f: [tars(f), class_folders(f), moved(f, "val", "elsewhere/val"),
                   moved(f, "ILSVRC2012_img_train.tar", "elsewhere/train.tar")],
        r"expected both as tar files or both as folders, found .*/train and .*ILSVRC2012_img_val\.tar; unpack",
        lambda f: moved(f, "elsewhere/val", "val"),
    ),
    "no val": (
        lambda f: [class_folders(f), moved(f, "val", "elsewhere/val")],
        r"found .*/train, expected val/ beside it, found none",
        lambda f: moved(f, "elsewhere/val", "val"),
    ),
    "one level deeper": (
        lambda f: class_folders(f / "imagenet"),
        r"found them in .*/imagenet; set runtime\.source_folder to it",
        lambda f: f / "imagenet",
    ),
    "tars of another name": (
        lambda f: [tars(f), moved(f, "ILSVRC2012_img_train.tar", "ILSVRC2012_img_train (1).tar"),
                   moved(f, "ILSVRC2012_img_val.tar", "ILSVRC2012_img_val (1).tar")],
        r"found ILSVRC2012_img_train \(1\)\.tar, ILSVRC2012_img_val \(1\)\.tar; rename or unpack",
        lambda f: [moved(f, f"ILSVRC2012_img_{s} (1).tar", f"ILSVRC2012_img_{s}.tar") for s in ("train", "val")],
    ),
    "Kaggle's zip as it came": (
        lambda f: [kaggle(f / "elsewhere", "csv"), write(f / "imagenet-object-localization-challenge.zip", b"PK")],
        r"found imagenet-object-localization-challenge\.zip; rename or unpack",
        lambda f: [moved(f, f"elsewhere/{name}", name) for name in
                   ("ILSVRC", "LOC_val_solution.csv", "LOC_synset_mapping.txt")],
    ),
    "half of val sorted by class": (
        half_sorted,
        r"val: expected class folders or images, found both, 5 images such as ILSVRC2012_val_00000002\.JPEG beside f",
        sort_the_rest,
    ),
    "a class without images": (
        lambda f: [class_folders(f), (f / "train/n09999999").mkdir()],
        r"expected images of every class in train, found none of n09999999 \(1 in all\); unpack",
        lambda f: (f / "train/n09999999").rmdir(),
    ),
    "a class that only val has": (
        lambda f: [class_folders(f), write(f / "val/n09999999/x.JPEG", jpeg(7))],
        r"expected in val only the classes of train, found 'n09999999'",
        lambda f: shutil.rmtree(f / "val/n09999999"),
    ),
    "no such folder": (
        lambda f: class_folders(f / "there").rename(f.parent / f"{f.name} renamed"),
        r"found neither",
        lambda f: f.parent / f"{f.name} renamed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("layout", WRONG)
def test_a_wrong_layout_is_refused_and_what_is_said_helps(tmp_path, expected, layout):
    make, message, mend = WRONG[layout]
    make(tmp_path)
    with pytest.raises(DataError, match=message):
        imagenet2012_source(tmp_path)
    named = mend(tmp_path)
    assert everything(imagenet2012_source(named if isinstance(named, Path) else tmp_path)) == expected


def test_what_is_beside_the_images_is_named(tmp_path, expected):
    folder = class_folders(tmp_path)
    write(folder / "train/stray.JPEG", jpeg(1))
    write(folder / "train" / IDS[0] / "notes.txt", b"x")
    write(folder / "old/x.JPEG", jpeg(2))
    write(folder / "ILSVRC2012_img_train.tar", b"x")
    write(folder / "test/ILSVRC2012_test_00000001.JPEG", b"secret")
    source = imagenet2012_source(folder)
    assert everything(source) == expected
    assert sorted(source.ignored) == [
        ("old/", "beside train/ and val/"),
        (f"train/{IDS[0]}/notes.txt", "not named like an image"),
        ("train/stray.JPEG", "an image beside the class folders"),
    ]
    assert [note.rpartition("/")[2] for note in source.notes] == ["ILSVRC2012_img_train.tar is not read"]
