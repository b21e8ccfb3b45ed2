"""Class folders as people lay them out by mistake: what is said, and that following it helps; what is counted."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from alexnet_tf.errors import DataError
from components.sources.class_folders import differing
from components.sources.image_folder import image_folder_source
from tests.components.sources.placed import right, write_image

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def changed(change):
    def make(folder):
        change(right(folder))

    return make


def into_classes(split):
    def move(folder):
        for number, path in enumerate(sorted((folder / split).glob("*.png"))):
            (folder / split / f"c{number % 2}").mkdir(exist_ok=True)
            path.rename(folder / split / f"c{number % 2}" / path.name)

    return move


def flat(split):
    def make(folder):
        for number in range(6):
            path = folder / split / f"c{number % 2}" / f"{number}.png"
            path.rename(folder / split / path.name)
        for name in ("c0", "c1"):
            (folder / split / name).rmdir()

    return changed(make)


def rename(old, new):
    def move(folder):
        (folder / old).rename(folder / new)

    return move


def remove(path):
    return lambda folder: (folder / path).unlink()


def nested(folder):
    for name in ("c0", "c1"):
        (folder / "train/images").mkdir(exist_ok=True)
        (folder / "train" / name).rename(folder / "train/images" / name)


def unnest(folder):
    for name in ("c0", "c1"):
        (folder / "train/images" / name).rename(folder / "train" / name)
    (folder / "train/images").rmdir()


def packed(folder):
    (folder / "train/c2.tar.gz").write_bytes(b"x")


def unpack(folder):
    write_image(folder / "train/c2/0.png", 50)


def two_looks(folder):
    write_image(folder / "train" / COMPOSED / "1.png", 60)
    write_image(folder / "train" / DECOMPOSED / "2.png", 61)


def one_look(folder):
    (folder / "train" / DECOMPOSED / "2.png").rename(folder / "train" / COMPOSED / "2.png")
    (folder / "train" / DECOMPOSED).rmdir()


def other_accent(folder):
    write_image(folder / "train" / COMPOSED / "1.png", 60)
    write_image(folder / "val" / DECOMPOSED / "2.png", 61)


def turned_round(folder):
    for name in ("cat", "dog"):
        (folder / "train").mkdir(exist_ok=True)
        (folder / name / "train").rename(folder / "train" / name)
        shutil.rmtree(folder / name)


def classes(folder, *names):
    """Class folders alone, in place of what is there."""
    for split in ("val", "train") if "train" not in folder.parts else ():
        shutil.rmtree(folder / split, ignore_errors=True)
    for name in names:
        for number in range(3):
            write_image(folder / name / f"{number}.png", number + 10 * len(name))


def into_a_new_train(folder):
    there = [path for path in folder.iterdir() if path.is_dir()]
    (folder / "new").mkdir()
    for path in there:
        path.rename(folder / "new" / path.name)
    (folder / "new").rename(folder / "train")


# Layout: what makes it, what is said, and what is then done, which returns another folder if that is to be named.
WRONG = {
    "val without class folders": (
        flat("val"),
        r"val: expected a folder for each class, found 6 images such as 0\.png; move every image of it into val/CLASS/",
        into_classes("val"),
    ),
    "val without class folders, moved away": (
        flat("val"),
        r"or move val/ out of ",
        lambda folder: shutil.rmtree(folder / "val"),
    ),
    "train without class folders": (
        flat("train"),
        r"train: expected a folder for each class, found 6 images such as 0\.png",
        into_classes("train"),
    ),
    "an empty val": (
        lambda folder: [right(folder), shutil.rmtree(folder / "val"), (folder / "val").mkdir()],
        r"val: expected a folder for each class, found none",
        lambda folder: (folder / "val").rmdir(),
    ),
    "images and no folder at all": (
        lambda folder: write_image(folder / "1.png", 1),
        r"found no train/ there and no folder but 1 images; put train/ and val/ into it",
        right,
    ),
    "the folder above": (
        lambda folder: right(folder / "my set"),
        r"expected train/ in it, found .*/my set/train; set runtime\.source_folder to .*/my set\.",
        lambda folder: folder / "my set",
    ),
    "two sets in one folder": (
        lambda folder: [right(folder / "small"), right(folder / "large")],
        r"found train/ in 2 folders such as large/ and small/; set runtime\.source_folder to one of them or, if",
        lambda folder: folder / "large",
    ),
    "the splits within the classes": (
        lambda folder: [right(folder / name) for name in ("cat", "dog")],
        r"have train/CLASS/ for CLASS/train/",
        turned_round,
    ),
    "the folder above the classes": (
        lambda folder: (
            right(folder / "x") and (folder / "x/val").rename(folder / "deep") and shutil.rmtree(folder / "x")
        ),
        r"found 1, deep/, with 2 folders in it; if these are the classes, set runtime\.source_folder to .*/deep",
        lambda folder: folder / "deep",
    ),
    "classes one level too deep": (
        changed(nested),
        r"train: .*found 1, images/, with 2 folders in it; if these are the classes, move these up into .*train",
        unnest,
    ),
    "validation set called valid": (
        changed(rename("val", "valid")),
        r"expected folders called train, val and test, found 'valid'; rename it to val",
        rename("valid", "val"),
    ),
    "splits in capitals": (
        changed(lambda folder: [rename("train", "Train")(folder), rename("val", "Testing")(folder)]),
        r"found 'Testing'; rename it to test",
        lambda folder: [rename("Train", "train")(folder), rename("Testing", "test")(folder)],
    ),
    "val twice": (
        changed(lambda folder: shutil.copytree(folder / "val", folder / "validation")),
        r"expected validation/ or val/, found both; move one",
        lambda folder: shutil.rmtree(folder / "val"),
    ),
    "a split as an archive": (
        changed(lambda folder: (folder / "test.zip").write_bytes(b"PK")),
        r"expected test/, found the archive test\.zip; unpack it or move it elsewhere",
        remove("test.zip"),
    ),
    "a class as an archive": (
        changed(packed),
        r"train: expected folders, found the archive c2\.tar\.gz; unpack it into .*train/c2/ or move",
        unpack,
    ),
    "a class as a link that leads nowhere": (
        changed(lambda folder: (folder / "train/c2").symlink_to("not mounted")),
        r"train/c2: expected a class folder, found a link that leads nowhere; mount what it leads to or remove it",
        remove("train/c2"),
    ),
    "an empty class": (
        changed(lambda folder: (folder / "train/c2").mkdir()),
        r"train/c2: expected image files, found none \(.*fill the folder or remove it",
        lambda folder: (folder / "train/c2").rmdir(),
    ),
    "a class of text files": (
        changed(lambda folder: [(folder / "train/c2").mkdir(), (folder / "train/c2/a.csv").write_text("x")]),
        r"train/c2: expected image files, found none but a\.csv, not named like an image",
        lambda folder: shutil.rmtree(folder / "train/c2"),
    ),
    "a class that only val has": (
        changed(lambda folder: write_image(folder / "val/c7/1.png", 1)),
        r"val: expected only classes that train/ has, found 'c7' \(1 in all\); remove the folder or add the class",
        lambda folder: write_image(folder / "train/c7/1.png", 2),
    ),
    "a class in other capitals": (
        changed(rename("val/c0", "val/C0")),
        r"found 'C0', where train/ has 'c0' \(U\+0043 and U\+0063\); give both the same name",
        rename("val/C0", "val/c0"),
    ),
    "an accent written in another way": (
        changed(other_accent),
        r"where train/ has .* \(U\+0065 U\+0301 and U\+00E9\); give both the same name",
        rename(f"val/{DECOMPOSED}", f"val/{COMPOSED}"),
    ),
    "two classes that look the same": (
        changed(two_looks),
        r"train: .*which look the same \(U\+0065 U\+0301 and U\+00E9\); move the images of one into the other",
        one_look,
    ),
    "one class": (
        changed(lambda folder: shutil.rmtree(folder / "train/c1")),
        r"expected two or more class folders, found 1; an image belongs in train/CLASS/",
        lambda folder: [write_image(folder / f"train/c1/{number}.png", number) for number in (1, 3, 5)],
    ),
    "no train": (
        changed(lambda folder: shutil.rmtree(folder / "train")),
        r"expected train/ beside .*val, found no train/ there; put train/ and val/ into it",
        lambda folder: right(folder),
    ),
    "a class called train": (
        changed(lambda folder: classes(folder, "train", "car", "bus")),
        r"expected train/ with all class folders, found bus/ with images beside it; if train/ is a class, move it and "
        r"the other class folders into a new train/, else move bus/ elsewhere",
        into_a_new_train,
    ),
    "a class called train that has folders": (
        changed(lambda folder: [classes(folder, "car/old", "bus/old"), classes(folder / "train", "steam", "diesel")]),
        r"expected train/ with all class folders, found bus/ with images beside it",
        into_a_new_train,
    ),
    "a class called test": (
        changed(lambda folder: classes(folder, "test", "control")),
        r"expected train/ beside .*test, found no train/ there; .*; if test/ is a class, move it and the other class "
        r"folders into a new train/",
        into_a_new_train,
    ),
}


@pytest.mark.parametrize("layout", WRONG)
def test_a_wrong_layout_is_refused_and_what_is_said_helps(tmp_path, layout):
    make, message, mend = WRONG[layout]
    make(tmp_path)
    with pytest.raises(DataError, match=message):
        image_folder_source(tmp_path)
    named = mend(tmp_path)
    source = image_folder_source(named if isinstance(named, Path) else tmp_path)
    assert len(source.labels["train"]) >= 6


def test_everything_that_is_not_used_is_named_with_its_reason(tmp_path):
    folder = right(tmp_path)
    write_image(folder / "stray.png", 1)
    write_image(folder / "old" / "c0" / "x.png", 2)
    write_image(folder / "train" / "a.jpg", 3)
    write_image(folder / "val" / "b.jpg", 4)
    write_image(folder / "train" / "c0" / ".checkpoints" / "c.png", 5)
    write_image(folder / "val" / ".thumbnails" / "c.png", 6)
    for name in ("images.tgz", "README.md", "train/c0/more.zip", "train/c0.zip", "train/c1/x.csv"):
        (folder / name).write_bytes(b"x")
    for name in (".DS_Store", "train/c0/._0.png", "train/Thumbs.db", "synset_words.txt"):
        (folder / name).write_bytes(b"x")
    (folder / "__MACOSX/train/c0").mkdir(parents=True)
    assert sorted(image_folder_source(folder).ignored) == [
        ("README.md", "not named like an image"),
        ("images.tgz", "an archive that was not unpacked"),
        ("old/", "a folder beside train/"),
        ("stray.png", "an image beside train/"),
        ("train/a.jpg", "an image beside the class folders"),
        ("train/c0.zip", "an archive that was not unpacked"),
        ("train/c0/.checkpoints", "hidden"),
        ("train/c0/more.zip", "an archive that was not unpacked"),
        ("train/c1/x.csv", "not named like an image"),
        ("val/.thumbnails", "hidden"),
        ("val/b.jpg", "an image beside the class folders"),
    ]


def test_a_class_whose_images_are_all_in_several_folders_is_told(tmp_path):
    folder = right(tmp_path)
    for name in ("cat", "dog"):
        write_image(folder / "train" / "animals" / name / "1.png", 70 + len(name))
    source = image_folder_source(folder)
    assert source.notes == ["train/animals/ is one class, though its images are in 2 folders"]
    assert np.bincount(source.labels["train"]).tolist() == [2, 3, 3]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("a", "a ", "nothing and U+0020"), ("xay", "xby", "U+0061 and U+0062"), ("a\u200bb", "ab", "U+200B and nothing")],
)
def test_texts_are_told_apart_by_their_code_points(one, other, expected):
    assert differing(one, other) == expected
