import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from alexnet_tf.data.pixel_codec import encode_pixels
from alexnet_tf.data.record_dataset import INDEX, RecordDataset
from alexnet_tf.data.tfrecord import ShardWriter, decode_example, encode_example, feature_span, read_shard
from alexnet_tf.errors import DataError
from tests.open_files import open_below

SIZE, COUNTS = 6, (4, 3, 3)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (sum(COUNTS), SIZE, SIZE, 3), np.uint8)


@pytest.fixture
def folder(tmp_path, images):
    return write_folder(tmp_path, images, "raw")


@pytest.fixture
def jpeg_folder(tmp_path, images):
    return write_folder(tmp_path, images, "jpeg")


def write_folder(tmp_path, images, encoding):
    """A records folder written by hand, so that this test does not lean on the stage that writes them."""
    feature = f"image/{encoding}"
    rows, shards, keys = [], [], []
    for shard, count in enumerate(COUNTS):
        with ShardWriter(tmp_path / f"train-{shard:05d}-of-00003.tfrecord") as writer:
            for _ in range(count):
                number = len(rows)
                pixels = encode_pixels(Image.fromarray(images[number]), encoding=encoding, jpeg_quality=90)
                example = encode_example({feature: pixels, "image/width": 40 + number, "image/label": number})
                offset = writer.write(example) + feature_span(example, feature)[0]
                rows.append((shard, offset, len(pixels), number % 3, 30 + number, 40 + number))
                keys.append(f"train/{number}.jpeg")
        shards.append(vars(writer.info))
    np.save(tmp_path / "train.index.npy", np.array(rows, INDEX))
    (tmp_path / "train.keys.txt").write_text("".join(f"{key}\n" for key in keys))
    digest = hashlib.sha256((tmp_path / "train.index.npy").read_bytes()).hexdigest()
    split = {"num_examples": len(rows), "shards": shards, "index_sha256": digest, "source_digest": "ab"}
    manifest = {"size": 12, "stored_size": SIZE, "encoding": encoding, "class_names": ["a", "b", "c"]}
    manifest["splits"] = {"train": split}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


def test_any_positions_in_any_order_are_read(folder, images):
    split = RecordDataset.open(folder, "train")
    for chosen in ([0], [9, 0, 4, 4, 3, 8], list(range(10)), [], np.array([5, 2], np.int32)):
        read = split.read(chosen)
        assert read.dtype == np.uint8
        np.testing.assert_array_equal(read, images[np.asarray(chosen, np.int64)])


def test_of_jpegs_any_positions_are_read_as_tensorflow_decodes_them(jpeg_folder, images):
    shards = sorted(jpeg_folder.glob("*.tfrecord"))
    stored = [decode_example(record)["image/jpeg"] for shard in shards for record in read_shard(shard)]
    expected = np.stack([tf.io.decode_jpeg(each, dct_method="INTEGER_ACCURATE").numpy() for each in stored])
    assert len({len(each) for each in stored}) > 1  # so that the index must know each one's length
    assert not np.array_equal(expected, images)
    split = RecordDataset.open(jpeg_folder, "train")
    assert split.encoding == "jpeg"
    for chosen in ([0], [9, 0, 4, 4, 3, 8], list(range(10)), [], np.array([5, 2], np.int32)):
        np.testing.assert_array_equal(split.read(chosen), expected[np.asarray(chosen, np.int64)])


def test_a_damaged_jpeg_is_named_by_its_place(jpeg_folder):
    split = RecordDataset.open(jpeg_folder, "train")
    path = jpeg_folder / "train-00001-of-00003.tfrecord"
    content = path.read_bytes()
    path.write_bytes(content.replace(b"\xff\xd8\xff", b"\x00\x00\x00", 1))
    with pytest.raises(
        DataError, match=r"00001-of-00003.tfrecord, byte \d+: expected a JPEG of 6 x 6 pixels in colour, found"
    ):
        split.read([0, 4])


def test_attributes_are_those_of_the_manifest_and_index(folder):
    split = RecordDataset.open(folder, "train")
    assert (split.num_examples, split.size, split.stored_size) == (10, 12, SIZE)
    assert split.class_names == ("a", "b", "c")
    assert split.labels.dtype == np.int32
    np.testing.assert_array_equal(split.labels, np.arange(10) % 3)
    np.testing.assert_array_equal(split.heights, np.arange(30, 40))
    np.testing.assert_array_equal(split.widths, np.arange(40, 50))
    assert split.keys()[3] == "train/3.jpeg"
    assert len(split.keys()) == 10


def test_threads_may_share_it(folder, images):
    split = RecordDataset.open(folder, "train")
    orders = [np.random.default_rng(n).integers(0, 10, 20) for n in range(50)]
    with ThreadPoolExecutor(4) as pool:
        for order, read in zip(orders, pool.map(split.read, orders), strict=True):
            np.testing.assert_array_equal(read, images[order])


def test_no_file_stays_open(folder):
    split = RecordDataset.open(folder, "train")
    split.read(range(10))
    assert open_below(folder) == []


@pytest.mark.parametrize("position", [10, -1])
def test_a_position_out_of_range_is_an_error(folder, position):
    with pytest.raises(IndexError, match=str(position)):
        RecordDataset.open(folder, "train").read([0, position])


@pytest.mark.parametrize(
    ("content", "message"), [(None, "does not exist"), ("train/0.jpeg\n", "expected 10 keys, found 1")]
)
def test_keys_that_are_gone_or_too_few_are_one_sentence(folder, content, message):
    (folder / "train.keys.txt").unlink()
    if content:
        (folder / "train.keys.txt").write_text(content)
    with pytest.raises(DataError, match=rf"train\.keys\.txt:? {message}.*run the stage preprocess again"):
        RecordDataset.open(folder, "train").keys()


def edit_manifest(folder, **changes):
    """Change entries of the manifest; None takes one out."""
    manifest = json.loads((folder / "manifest.json").read_text()) | changes
    kept = {name: value for name, value in manifest.items() if value is not None}
    (folder / "manifest.json").write_text(json.dumps(kept))


def edit_split(folder, key, shard=None):
    """Take a key out of the split, or of one of its shards."""
    splits = json.loads((folder / "manifest.json").read_text())["splits"]
    part = splits["train"] if shard is None else splits["train"]["shards"][shard]
    del part[key]
    edit_manifest(folder, splits=splits)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "manifest.json does not exist"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "manifest.json: expected JSON"),
        (lambda folder: (folder / "manifest.json").write_text("[]"), "found one without 'splits'; run the stage"),
        (lambda folder: edit_manifest(folder, class_names=None), "found one without 'class_names'; run the stage"),
        (lambda folder: edit_manifest(folder, splits=[]), "found one without 'num_examples'; run the stage"),
        (lambda folder: edit_split(folder, "source_digest"), "found one without 'source_digest'; run the stage"),
        (lambda folder: edit_split(folder, "index_sha256"), "found one without 'index_sha256'; run the stage"),
        (lambda folder: edit_split(folder, "shards"), "found one without 'shards'; run the stage"),
        (lambda folder: edit_split(folder, "bytes", 1), "found one without 'bytes'; run the stage"),
        (
            lambda folder: edit_manifest(
                folder, splits={"train": dict.fromkeys(["num_examples", "shards", "source_digest", "index_sha256"])}
            ),
            "found one without 'file'; run the stage",
        ),
        (lambda folder: edit_manifest(folder, encoding="png"), "expected encoding raw or jpeg, found 'png'; run"),
        (
            lambda folder: edit_manifest(folder, class_names=["a", "b"]),
            r"index.npy: expected labels 0 to 1, one for each class of manifest.json, found 0 to 2; run the stage",
        ),
        (lambda folder: (folder / "train.index.npy").unlink(), "train.index.npy does not exist"),
        (lambda folder: (folder / "train.index.npy").write_bytes(b"x"), "train.index.npy: expected SHA-256"),
        (
            lambda folder: (folder / "train-00001-of-00003.tfrecord").unlink(),
            "00001-of-00003.tfrecord does not",
        ),
        (
            lambda folder: os.truncate(folder / "train-00002-of-00003.tfrecord", 99),
            "expected .* bytes, found 99",
        ),
    ],
)
def test_a_damaged_folder_is_not_opened(folder, damage, message):
    damage(folder)
    with pytest.raises(DataError, match=message):
        RecordDataset.open(folder, "train")


def test_keys_that_are_no_text_are_one_sentence(folder):
    (folder / "train.keys.txt").write_bytes(b"train/caf\xe9\n")
    with pytest.raises(DataError, match=r"train\.keys\.txt: expected UTF-8 text .*; run the stage preprocess again"):
        RecordDataset.open(folder, "train").keys()


def test_an_unknown_split_names_the_known_ones(folder):
    with pytest.raises(DataError, match="expected a split 'test', found train"):
        RecordDataset.open(folder, "test")


def test_a_shard_cut_after_opening_is_found(folder):
    split = RecordDataset.open(folder, "train")
    os.truncate(folder / "train-00001-of-00003.tfrecord", 100)
    with pytest.raises(DataError, match=r"train-00001-of-00003.tfrecord: expected 108 bytes at \d+"):
        split.read([0, 5])


def test_a_shard_that_goes_after_opening_is_one_sentence(folder):
    split = RecordDataset.open(folder, "train")
    (folder / "train-00001-of-00003.tfrecord").unlink()
    with pytest.raises(DataError, match=r"train-00001-of-00003\.tfrecord has gone since it was opened; run the stage"):
        split.read([0, 5])
