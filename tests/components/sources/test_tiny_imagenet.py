"""Tiny ImageNet as people have it: the zip, zipped again, unpacked, sorted by class; equal images each time."""

import io
import shutil
import zipfile

import numpy as np
import pytest

from alexnet_tf.errors import DataError
from components.sources import tiny_imagenet
from components.sources.listing import listing
from components.sources.tiny_imagenet import NAME, tiny_imagenet_source
from tests.components.sources.placed import everything
from tests.components.sources.test_tfds_preparation import IDS, tiny, tiny_zip

OFFICIAL, IMAGES = tiny_zip()


def unpacked(folder, content=OFFICIAL):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
    return folder / NAME


def zipped_again(folder, *, root=f"{NAME}/", name=f"{NAME}.zip"):
    """Other bytes and another order, as a Mac's Finder makes it."""
    with zipfile.ZipFile(io.BytesIO(OFFICIAL)) as archive, zipfile.ZipFile(folder / name, "w", 8) as other:
        for inside in sorted(archive.namelist(), reverse=True):
            other.writestr(inside.replace(f"{NAME}/", root), archive.read(inside))
        other.writestr("__MACOSX/._wnids.txt", b"\0")


def sorted_by_class(folder):
    """What a much-copied script makes of val/; the lists go with it."""
    root = unpacked(folder)
    for file, (label, content) in IMAGES.items():
        if file.startswith("val_"):
            (root / "val" / IDS[label] / "images").mkdir(parents=True, exist_ok=True)
            (root / "val" / IDS[label] / "images" / file).write_bytes(content)
    shutil.rmtree(root / "val" / "images")
    (root / "val" / "val_annotations.txt").unlink()
    for boxes in root.glob("train/*/*_boxes.txt"):
        boxes.unlink()


def in_manual(folder):
    manual = folder / "tfds/downloads/manual"
    manual.mkdir(parents=True)
    (manual / f"{NAME}.zip").write_bytes(OFFICIAL)


LAYOUTS = {
    "official zip": lambda folder: (folder / f"{NAME}.zip").write_bytes(OFFICIAL),
    "official zip where the message puts it": in_manual,
    "zipped again": zipped_again,
    "zipped again from within": lambda folder: zipped_again(folder, root="", name="my Tiny-ImageNet-200 (1).zip"),
    "official zip from a Mac's disk": lambda folder: [
        (folder / f"{NAME}.zip").write_bytes(OFFICIAL),
        (folder / f"._{NAME}.zip").write_bytes(b"\x00\x05\x16\x07"),
    ],
    "unpacked": unpacked,
    "unpacked, one level deeper": lambda folder: unpacked(folder / NAME),
    "unpacked, sorted by class": sorted_by_class,
    "unpacked beside a half download": lambda folder: [unpacked(folder), (folder / f"{NAME}.zip").write_bytes(b"PK")],
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """What the set gives when tensorflow-datasets has prepared it."""
    from components.sources.tfds import tfds_source

    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        tiny(folder, OFFICIAL, patch)
        return everything(tfds_source("tiny_imagenet", folder, builder="components.sources.tiny_imagenet_builder"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_what_the_prepared_set_gives(tmp_path, prepared, layout):
    LAYOUTS[layout](tmp_path)
    source = tiny_imagenet_source(tmp_path)
    assert everything(source) == prepared
    assert not source.ignored
    before = listing("tiny_imagenet", tmp_path)
    assert before is not None
    (tmp_path / "beside.txt").write_text("no part of it")
    assert listing("tiny_imagenet", tmp_path) == before


def test_the_unpacked_folder_itself_may_be_named(tmp_path, prepared):
    assert everything(tiny_imagenet_source(unpacked(tmp_path))) == prepared


def test_an_image_that_no_list_names_is_counted(tmp_path):
    root = unpacked(tmp_path)
    shutil.copy(root / f"train/{IDS[0]}/images/{IDS[0]}_0.JPEG", root / f"train/{IDS[0]}/images/copy.JPEG")
    assert tiny_imagenet_source(tmp_path).ignored == [
        (f"train/{IDS[0]}/images/copy.JPEG", "in none of the set's lists")
    ]


def test_without_its_words_the_classes_of_imagenet_have_theirs(tmp_path):
    (unpacked(tmp_path) / "words.txt").unlink()
    assert tiny_imagenet_source(tmp_path).class_names == ("goldfish", "crane (n02012849)", "crane (n03126707)")


def flipped(folder):
    """One bit of a stored image; its checksum no longer fits."""
    place = OFFICIAL.index(IMAGES[f"{IDS[0]}_1.JPEG"][1]) + 30
    (folder / f"{NAME}.zip").write_bytes(OFFICIAL[:place] + bytes([OFFICIAL[place] ^ 1]) + OFFICIAL[place + 1 :])


def test_a_damaged_image_in_a_zip_is_listed_with_the_reason(tmp_path):
    flipped(tmp_path)
    source = tiny_imagenet_source(tmp_path)
    found = {raw.key: raw.problem for raw in source.read("train", np.arange(9)) if raw.problem}
    assert found == {f"train/goldfish/{IDS[0]}_1.JPEG": "damaged in the archive (BadZipFile)"}


def without(path):
    def remove(folder):
        root = unpacked(folder)
        shutil.rmtree(root / path) if (root / path).is_dir() else (root / path).unlink()

    return remove


def changed(path, old, new):
    def change(folder):
        file = unpacked(folder) / path
        file.write_text(file.read_text().replace(old, new))

    return change


def encrypted(folder):
    place = OFFICIAL.index(b"PK\x01\x02") + 8
    (folder / f"{NAME}.zip").write_bytes(OFFICIAL[:place] + b"\x01" + OFFICIAL[place + 1 :])


def leading_out(name):
    def make(folder):
        with zipfile.ZipFile(folder / f"{NAME}.zip", "w") as file:
            file.writestr(f"{NAME}/wnids.txt", "n1\n")
            file.writestr(name, "x")

    return make


WRONG = {
    "an absolute name": (leading_out("/etc/wnids.txt"), rf"expected names within {NAME}/, found"),
    "a name that climbs out": (leading_out(f"{NAME}/../../x"), rf"expected names within {NAME}/, found"),
    "half a zip": (lambda f: (f / f"{NAME}.zip").write_bytes(OFFICIAL[:9000]), r"expected a whole zip file .*; fetch"),
    "another zip": (
        lambda f: zipfile.ZipFile(f / f"{NAME}.zip", "w").writestr("a.txt", "x"),
        r"expected it to hold tiny-imagenet-200/wnids\.txt, found none",
    ),
    "an encrypted zip": (encrypted, r"expected files that Python can unpack, found .* encrypted; unpack it"),
    "no list of classes": (without("wnids.txt"), r"expected wnids\.txt, the list of classes, found none"),
    "a lost training image": (
        without(f"train/{IDS[1]}/images/{IDS[1]}_2.JPEG"),
        rf"expected train/{IDS[1]}/images/{IDS[1]}_2\.JPEG, which its list names, found none",
    ),
    "a lost validation image": (without("val/images/val_1.JPEG"), r"expected val/images/val_1\.JPEG, which its list"),
    "a lost class": (
        without(f"train/{IDS[2]}"),
        rf"every class of wnids\.txt in train/, found none of {IDS[2]} \(1 in",
    ),
    "no val": (without("val"), r"in val/ by val/val_annotations\.txt or in class folders, found none of"),
    "a class that no list has": (
        changed("val/val_annotations.txt", IDS[0], "n09999999"),
        r"expected only the classes of wnids\.txt in val/val_annotations\.txt, found",
    ),
    "val flat and its list gone": (
        without("val/val_annotations.txt"),
        r"in val/ by val/val_annotations\.txt or in class folders, found none",
    ),
    "one level too high": (
        lambda f: unpacked(f / "data sets"),
        r"or tiny-imagenet-200\.zip in it, found it in .*data sets; set",
    ),
}


@pytest.mark.parametrize("layout", WRONG)
def test_a_wrong_layout_is_refused_in_one_sentence(tmp_path, monkeypatch, layout):
    monkeypatch.setattr("components.sources.tfds_preparation._unreachable", lambda url: "no network")
    make, message = WRONG[layout]
    make(tmp_path)
    with pytest.raises(DataError, match=message) as caught:
        tiny_imagenet_source(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert any(way_out in str(caught.value) for way_out in (tiny_imagenet.URL, "unpack it", "runtime.source_folder"))
