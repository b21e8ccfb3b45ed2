"""What tensorflow-datasets has prepared: equal images are an equal data set in any layout; what is wrong is said."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from alexnet_tf.data.tfrecord import ShardWriter, encode_example
from alexnet_tf.errors import ConfigError, DataError
from components import download
from components.interfaces import Runtime
from components.sources import tfds, tfds_preparation
from components.sources.tfds import tfds_source
from tests.components.small_dataset import contents, download_params

# Forty images; the last four are copies, three of one class and one of another.
IMAGES = [(number % 2, b"image %d" % number) for number in range(36)] + [(0, b"image 0")] * 3 + [(1, b"image 0")]


def prepare(folder: Path, images=IMAGES, *, shards=1, splits=("train", "test"), file_format=None) -> Path:
    """Write a set of images without ids, as tensorflow-datasets does."""
    import tensorflow_datasets as tfds

    where = folder / "toy" / "1.2.0"
    where.mkdir(parents=True)
    infos = []
    for split in splits:
        rows = images if split == "train" else [(label, b"t" + content) for label, content in IMAGES[:6]]
        parts = [part.tolist() for part in np.array_split(np.arange(len(rows)), shards)]
        for number, part in enumerate(parts):
            with ShardWriter(where / f"toy-{split}.tfrecord-{number:05d}-of-{shards:05d}") as writer:
                for row in part:
                    writer.write(encode_example({"image": rows[row][1], "label": rows[row][0]}))
        template = tfds.core.ShardedFileTemplate(
            dataset_name="toy", data_dir=where, filetype_suffix="tfrecord", split=split
        )
        lengths = [len(part) for part in parts]
        infos.append(tfds.core.SplitInfo(name=split, shard_lengths=lengths, num_bytes=1, filename_template=template))
    features = tfds.features.FeaturesDict(
        {"image": tfds.features.Image(shape=(8, 8, 3)), "label": tfds.features.ClassLabel(names=["cat", "dog"])}
    )
    tfds.folder_dataset.write_metadata(data_dir=where, features=features, split_infos=infos, check_data=False)
    if file_format:
        info = json.loads((where / "dataset_info.json").read_text()) | {"fileFormat": file_format}
        (where / "dataset_info.json").write_text(json.dumps(info))
    return where


def dataset(folder: Path, out: Path) -> dict[str, bytes]:
    """Return the bytes of data/dataset, made of a part of the set, so that the order decides what is in it."""
    params = download_params("tfds:toy", validation_share=0.25, subset={"classes": None, "images_per_class": 15})
    download.run(download.Inputs(), download.Outputs(out), params, Runtime(source_folder=folder))
    return contents(out)


def test_shards_and_their_order_decide_nothing(tmp_path):
    prepare(tmp_path / "one")
    shuffled = [IMAGES[row] for row in np.random.default_rng(0).permutation(len(IMAGES))]
    prepare(tmp_path / "two", shuffled, shards=2)
    first = dataset(tmp_path / "one", tmp_path / "a")
    assert dataset(tmp_path / "two", tmp_path / "b") == first
    assert sum(split["num_examples"] for split in json.loads(first["manifest.json"])["splits"].values()) == 36


def test_copies_without_an_id_have_keys_of_their_own(tmp_path):
    prepare(tmp_path)
    source = tfds_source("toy", tmp_path)
    found = list(source.read("train", np.arange(40)))
    assert sorted((raw.label, raw.content) for raw in found) == sorted(IMAGES)
    keys = [raw.key for raw in found]
    assert len(set(keys)) == 40
    copied = sorted(
        key.rpartition("/")[2].partition("-")[2] for raw in found if raw.content == b"image 0" for key in [raw.key]
    )
    assert copied == ["", "", "1", "2", "3"]


def test_an_id_that_would_break_a_line_is_escaped():
    layout = SimpleNamespace(label="label", image="image", identity="id", class_names=("cat",))
    payload = encode_example({"label": 0, "image": b"pixels", "id": b"two\nlines"})
    assert tfds._raw_image(layout, "train", payload).key == r"train/cat/two\nlines"


def test_a_split_that_is_not_used_is_named(tmp_path):
    prepare(tmp_path, splits=("train", "test", "extra"))
    assert tfds_source("toy", tmp_path).ignored == [("split extra", "a split of another name")]


def test_a_preparation_that_was_killed_is_passed_over(tmp_path):
    where = prepare(tmp_path)
    shutil.copytree(where, where.with_name("9.9.9.incompleteAB12"))
    assert len(tfds_source("toy", tmp_path).labels["train"]) == 40


@pytest.mark.parametrize("name", ["dataset_info.json", "features.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_damaged_description_is_one_sentence(tmp_path, name, content):
    folder = prepare(tmp_path)
    (folder / name).write_bytes(content)
    with pytest.raises(
        DataError, match=r"^.*1\.2\.0: expected a set as tensorflow-datasets prepares it, .*; delete .*\.$"
    ):
        tfds_source("toy", tmp_path)


def test_fewer_names_than_classes_are_one_sentence(tmp_path):
    (prepare(tmp_path) / "label.labels.txt").write_text("cat\n")
    with pytest.raises(
        DataError, match=r"expected a name of each class, found 1 and the label 1; delete .*1\.2\.0 and"
    ):
        tfds_source("toy", tmp_path)


def test_an_id_that_is_not_utf8_is_escaped():
    layout = SimpleNamespace(label="label", image="image", identity="id", class_names=("cat",))
    payload = encode_example({"label": 0, "image": b"pixels", "id": b"caf\xe9"})
    assert tfds._raw_image(layout, "train", payload).key == r"train/cat/caf\xe9"


def two_configurations(folder):
    for config in ("plain", "grey"):
        shutil.copytree(prepare(folder / config), folder / "toy" / config / "1.2.0")


def torn(folder):
    path = prepare(folder) / "toy-train.tfrecord-00000-of-00001"
    path.write_bytes(path.read_bytes()[:-9])


WRONG = {
    "the set's own folder": (
        prepare,
        "toy",
        "toy",
        DataError,
        r"toy: expected the folder that holds toy/, found the set i",
    ),
    "its version's folder": (prepare, "toy", "toy/1.2.0", DataError, r"set runtime\.source_folder to .*layout\d+\.$"),
    "a name that is none": (prepare, "mnits", "", ConfigError, r"found 'mnits'; did you mean mnist\?"),
    "no training split": (
        lambda folder: prepare(folder, splits=("test", "extra")),
        "toy",
        "",
        DataError,
        r"1\.2\.0: expected a split train with labelled images, found only test, extra; choose a set that has one",
    ),
    "another file format": (
        lambda folder: prepare(folder, file_format="riegeli"),
        "toy",
        "",
        DataError,
        r"expected the file format tfrecord, found riegeli; prepare the set again with file_format='tfrecord'",
    ),
    "two configurations": (
        two_configurations,
        "toy",
        "",
        DataError,
        r"expected one configuration, found grey, plain; name",
    ),
    "a shard cut short": (
        torn,
        "toy",
        "",
        DataError,
        r"-00001: expected a whole shard, found it damaged or cut short; delete",
    ),
    "a lost shard": (
        lambda folder: (prepare(folder) / "toy-train.tfrecord-00000-of-00001").unlink(),
        "toy",
        "",
        DataError,
        r"toy-train\.tfrecord-00000-of-00001: expected a whole shard, found none; delete .*1\.2\.0 and run again",
    ),
    "not prepared, no network": (
        lambda folder: None,
        "mnist",
        "",
        DataError,
        r"fetch .*train-images-idx3-ubyte\.gz.*put the files into .*downloads/manual",
    ),
    "by hand, nothing placed": (
        lambda folder: None,
        "imagenet2012",
        "",
        DataError,
        r"has to be fetched by hand, and .*empty: .*ILSVRC2012_img_train\.tar",
    ),
    "no folder named": (
        lambda folder: None,
        "mnist",
        None,
        DataError,
        r"set mnist expected runtime\.source_folder to name a folder, found it unset; set it",
    ),
}


@pytest.mark.parametrize("layout", WRONG)
def test_a_wrong_layout_is_refused_in_one_sentence(tmp_path, monkeypatch, layout):
    monkeypatch.setattr(tfds_preparation, "_unreachable", lambda url: "no network")
    make, name, inside, kind, message = WRONG[layout]
    folder = tmp_path / "layout1"
    folder.mkdir()
    make(folder)
    with pytest.raises(kind, match=message):
        tfds_source(name, None if inside is None else folder / inside)
