"""What a listing sees of each kind of source, and what it leaves alone."""

import pytest

from components.sources.listing import listing
from tests.components.sources.test_imagenet2012 import class_folders, kaggle, tars


def _set(folder):
    for path in ("cifar10/3.0.2/dataset_info.json", "cifar10/3.0.2/cifar10-train.tfrecord-00000-of-00001"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"x" * 10)
    return folder


@pytest.mark.parametrize(
    ("source", "make", "num_files", "seen", "unseen"),
    [
        ("imagenet2012", class_folders, None, "synset_words.txt", "n01440764.zip"),
        ("imagenet2012", lambda folder: kaggle(folder, "csv"), None, "LOC_val_solution.csv", "sample_submission.csv"),
        (
            "imagenet2012",
            lambda folder: kaggle(folder, "xml"),
            None,
            "ILSVRC/Annotations/CLS-LOC/val/ILSVRC2012_val_00000001.xml",
            "ILSVRC/Data/CLS-LOC/test/ILSVRC2012_test_00000001.JPEG",
        ),
        (
            "imagenet2012",
            lambda folder: kaggle(folder, "csv") / "ILSVRC/Data/CLS-LOC",
            None,
            "../../../LOC_val_solution.csv",
            "../../../LOC_train_solution.csv",
        ),
        ("imagenet2012", tars, 4, "ILSVRC2012_img_val.tar", "ILSVRC2012_img_test.tar"),
        (
            "imagenet2012",
            lambda folder: tars(folder, "downloads/manual"),
            4,
            "downloads/manual/ILSVRC2012_img_train.tar",
            "downloads/manual/cifar-10.tar.gz",
        ),
        ("tfds:cifar10", _set, 2, "cifar10/3.0.2/cifar10-train.tfrecord-00000-of-00001", "mnist/3.0.1/mnist.tfrecord"),
        ("tfds:cifar10", lambda folder: _set(folder / "tfds").parent, 2, "tfds/cifar10/3.0.2/more", "cifar10.tar"),
    ],
)
def test_the_files_that_are_read_are_listed(tmp_path, source, make, num_files, seen, unseen):
    folder = make(tmp_path / "source")
    before = listing(source, folder)
    assert before is not None
    assert num_files in (None, before.num_files)
    (folder / unseen).parent.mkdir(parents=True, exist_ok=True)
    (folder / unseen).write_bytes(b"y")
    assert listing(source, folder) == before
    (folder / seen).write_bytes(b"changed")
    assert listing(source, folder) != before


@pytest.mark.parametrize("source", ["image_folder", "imagenet2012", "tiny_imagenet", "tfds:cifar10"])
def test_nothing_there_is_no_listing(tmp_path, source):
    assert listing(source, tmp_path) is None


def test_a_link_that_leads_nowhere_is_a_file(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.jpg").symlink_to("nowhere.jpg")
    before = listing("image_folder", tmp_path)
    assert before is not None
    assert before.num_files == 2
    (tmp_path / "cat/nowhere.jpg").write_bytes(b"here")
    assert listing("image_folder", tmp_path) != before


def test_what_programs_write_into_hidden_folders_is_no_change(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name / ".checkpoints").mkdir(parents=True)
        (tmp_path / name / "0.jpg").write_bytes(b"x")
    before = listing("image_folder", tmp_path)
    (tmp_path / "cat/.checkpoints/0.jpg").write_bytes(b"x")
    (tmp_path / "dog/.DS_Store").write_bytes(b"x")
    assert listing("image_folder", tmp_path) == before
