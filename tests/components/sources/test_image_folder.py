import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet_tf.data.images import SUFFIXES
from components.sources.files import ARCHIVES, OTHER_IMAGES, find_files
from components.sources.image_folder import image_folder_source
from tests.components.sources.placed import right, write_image
from tests.open_files import open_below


def read(source, split="train"):
    return {raw.key: raw for raw in source.read(split, np.arange(len(source.labels[split])))}


@pytest.fixture
def folder(tmp_path):
    return right(tmp_path)


def test_one_folder_of_classes_is_all_for_training(tmp_path):
    for number in range(6):
        write_image(tmp_path / "my pictures" / f"c{number % 2}" / f"{number}.png", number)
    source = image_folder_source(tmp_path / "my pictures")
    assert list(source.labels) == ["train"]
    assert sorted(read(source)) == [f"train/c{n % 2}/{n}.png" for n in (0, 2, 4, 1, 3, 5)]


def test_nested_spaced_and_unicode_names_are_kept(folder):
    content = write_image(folder / "train" / "c0" / "a b" / "日本" / "größe.png", 7)
    found = read(image_folder_source(folder))["train/c0/a b/日本/größe.png"]
    assert (found.label, found.content, found.problem) == (0, content, "")


def test_names_with_newlines_and_other_encodings_get_a_key_on_one_line(folder):
    write_image(folder / "train" / "c0" / "two\nlines.png", 8)
    write_image(Path(os.fsdecode(os.fsencode(folder / "train" / "c0") + b"/latin\xe9.png")), 9)
    found = read(image_folder_source(folder))
    assert {"train/c0/two\\nlines.png", "train/c0/latin\\udce9.png"} <= set(found)
    assert all(key.encode() and len(key.splitlines()) == 1 for key in found)


def test_a_class_folder_with_a_newline_names_a_class_on_one_line(folder):
    write_image(folder / "train" / "new\nclass" / "1.png", 8)
    assert image_folder_source(folder).class_names == ("c0", "c1", "new\\nclass")


def test_links_are_followed_but_not_in_circles(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    content = write_image(elsewhere / "x.png", 300)
    (folder / "train" / "c0" / "linked").symlink_to(elsewhere)
    (folder / "train" / "c0" / "up").symlink_to(folder / "train")
    (folder / "train" / "c1" / "self.png").symlink_to("self.png")
    (folder / "train" / "c1" / "nowhere.png").symlink_to("not there.png")
    source = image_folder_source(folder)
    found = read(source)
    assert len(found) == 9
    assert found["train/c0/linked/x.png"].content == content
    assert found["train/c1/nowhere.png"].problem == "a link that leads nowhere"
    assert found["train/c1/self.png"].problem.startswith("cannot be read (Too many levels")
    assert ("train/c0/up", "a link to a folder above it") in source.ignored


def test_what_is_no_regular_file_is_listed_and_not_waited_for(folder):
    os.mkfifo(folder / "train" / "c0" / "pipe.png")
    (folder / "train" / "c0" / "zero.png").symlink_to("/dev/zero")
    write_image(folder / "train" / "c0" / "folder.png" / "inside.png", 40)
    (folder / "train" / "c0" / "empty.png").mkdir()
    (folder / "train" / "c0" / "empty").mkdir()
    found = read(image_folder_source(folder))
    assert found["train/c0/pipe.png"].problem == "no regular file"
    assert found["train/c0/zero.png"].problem == "no regular file"
    assert found["train/c0/folder.png/inside.png"].problem == ""
    assert "train/c0/folder.png" not in found
    assert found["train/c0/empty.png"].problem == "no regular file"
    assert "train/c0/empty" not in found
    assert open_below(folder) == []


def test_a_file_that_may_not_be_read_is_listed_with_the_reason(folder, monkeypatch):
    opened = os.open

    def refuse(path, flags, *rest, **named):
        if str(path).endswith("0.png"):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, flags, *rest, **named)

    monkeypatch.setattr("components.sources.files.os.open", refuse)
    found = read(image_folder_source(folder))
    assert found["train/c0/0.png"].problem == "cannot be read (Permission denied)"
    assert found["train/c0/2.png"].content


def test_a_folder_that_may_not_be_listed_stops_the_stage(folder, monkeypatch):
    listed = os.scandir

    def refuse(path):
        if Path(path).name == "c0":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr("components.sources.files.os.scandir", refuse)
    with pytest.raises(PermissionError):
        find_files(folder)


def test_a_file_that_goes_before_it_is_read_is_listed(folder):
    source = image_folder_source(folder)
    (folder / "train" / "c0" / "0.png").unlink()
    assert read(source)["train/c0/0.png"].problem == "gone since it was listed"


def test_other_files_are_passed_over_and_named(folder):
    (folder / "train" / "c0" / "notes.txt").write_text("no image")
    (folder / "train" / "c0" / ".hidden.png").write_text("no image")
    source = image_folder_source(folder)
    assert source.ignored == [("train/c0/.hidden.png", "hidden"), ("train/c0/notes.txt", "not named like an image")]
    assert len(read(source)) == 6


def test_a_class_of_train_may_be_missing_in_val(folder):
    write_image(folder / "train" / "c2" / "1.png", 8)
    assert image_folder_source(folder).labels["test"].tolist().count(2) == 0


def test_thousands_of_classes(tmp_path):
    for number in range(3000):
        path = tmp_path / "train" / f"class {number:04d}" / "x.jpg"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    source = image_folder_source(tmp_path)
    assert len(source.class_names) == 3000
    assert sorted(source.labels["train"].tolist()) == list(range(3000))


def test_words_beside_the_folders_name_the_classes(folder):
    os.rename(folder / "train" / "c0", folder / "train" / "n02012849")
    os.rename(folder / "val" / "c0", folder / "val" / "n02012849")
    (folder / "synset_words.txt").write_text("n02012849 crane, a bird\nn03126707 crane\n")
    assert image_folder_source(folder).class_names == ("c1", "crane")


def test_every_format_that_pillow_reads_is_read_or_named():
    Image.init()
    no_images = {"BUFR", "GRIB", "HDF5", "MPEG"}  # of which Pillow only reads the head
    readable = {end for end, form in Image.registered_extensions().items() if form in {*Image.OPEN} - no_images}
    assert readable
    assert readable <= SUFFIXES | OTHER_IMAGES
    assert not SUFFIXES & (OTHER_IMAGES | ARCHIVES)


def test_images_that_are_not_read_are_named_by_their_format(folder):
    for name in ("a.heic", "b.HEIC", "c.jxl"):
        (folder / "train" / "c0" / name).write_bytes(b"x")
    assert image_folder_source(folder).ignored == [
        ("train/c0/a.heic", "an image whose format is not read (.heic)"),
        ("train/c0/b.HEIC", "an image whose format is not read (.heic)"),
        ("train/c0/c.jxl", "an image whose format is not read (.jxl)"),
    ]


def test_without_train_the_words_are_those_in_the_folder_and_none_above(tmp_path):
    for name in ("n90000001", "n90000002"):
        (tmp_path / "source" / name).mkdir(parents=True)
        (tmp_path / "source" / name / "1.jpg").write_bytes(b"x")
    (tmp_path / "words.txt").write_text("n90000001 above\n")
    assert image_folder_source(tmp_path / "source").class_names == ("n90000001", "n90000002")
    (tmp_path / "source" / "words.txt").write_text("n90000001 crane\n")
    assert image_folder_source(tmp_path / "source").class_names == ("crane", "n90000002")
