import json

import numpy as np
import pytest

from alexnet_tf.data.colour_statistics import ColourStatistics
from alexnet_tf.data.record_dataset import RecordDataset
from alexnet_tf.data.tfrecord import ShardWriter, read_shard
from alexnet_tf.errors import DataError
from components import preprocess, statistics
from components.interfaces import BeamRuntime, Runtime, SilentTracker
from components.statistics import Inputs, Outputs, Params
from tests.components.recorder import RecordingTracker
from tests.components.small_dataset import contents, jpeg, write_dataset

IMAGES = [jpeg(n) for n in range(13)]


def prepare(folder, *, images_per_shard, stored_size=8, images=IMAGES, encoding="raw"):
    inputs = write_dataset(folder, {"train": images, "test": IMAGES[:2]})
    params = preprocess.Params(
        size=32,
        stored_size=stored_size,
        max_corrupt_share=0.0,
        max_pixels=10_000,
        images_per_shard=images_per_shard,
        encoding=encoding,
        jpeg_quality=60,  # far from lossless, so that it shows whose pixels are summed
    )
    preprocess.run(preprocess.Inputs(**inputs), preprocess.Outputs(folder / "records"), params, Runtime())
    return folder / "records"


def run(records, folder, *, size=32, num_workers=2, tracker=None):
    runtime = Runtime(beam=BeamRuntime(num_workers=num_workers), tracker=tracker or SilentTracker())
    statistics.run(Inputs(records), Outputs(folder), Params(size=size), runtime)
    return contents(folder)


@pytest.fixture(
    scope="module",
    params=[(8, "raw"), (32, "raw"), (8, "jpeg"), (32, "jpeg")],
    ids=["enlarged", "as stored", "enlarged jpeg", "jpeg"],
)
def records(tmp_path_factory, request):
    stored_size, encoding = request.param
    folder = tmp_path_factory.mktemp("records")
    return prepare(folder, images_per_shard=4, stored_size=stored_size, encoding=encoding)


def test_it_equals_a_direct_computation_on_the_enlarged_images(tmp_path, records):
    import tensorflow as tf

    run(records, tmp_path / "statistics")
    found = ColourStatistics.load(tmp_path / "statistics")
    images = RecordDataset.open(records, "train").read(range(13))
    large = tf.image.resize(images, (32, 32), method="bilinear").numpy().astype(np.float64)
    pixels = large.reshape(-1, 3)
    np.testing.assert_array_equal(np.load(tmp_path / "statistics" / "sum_image.npy"), images.sum(axis=0, dtype=int))
    # TensorFlow enlarges in float32, hence the tolerances.
    np.testing.assert_allclose(found.mean_image, large.mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(found.channel_mean, pixels.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.eigenvalues, np.linalg.eigvalsh(np.cov(pixels.T, ddof=0))[::-1], rtol=1e-5)


def test_bytes_are_equal_for_any_workers_sharding_and_order(tmp_path, records):
    expected = run(records, tmp_path / "a", num_workers=1)
    assert sorted(expected) == ["mean_image.npy", "statistics.json", "sum_image.npy"]
    assert run(records, tmp_path / "b", num_workers=3) == expected
    manifest = json.loads((records / "manifest.json").read_text())
    same = {name: manifest[name] for name in ("stored_size", "encoding")}
    other = prepare(tmp_path / "other", images_per_shard=13, images=IMAGES[::-1], **same)
    assert run(other, tmp_path / "c") == expected


@pytest.mark.parametrize("records", [(8, "raw")], indirect=True, ids=["enlarged"])
def test_the_test_split_does_not_count(tmp_path, records):
    tracker = RecordingTracker()
    run(records, tmp_path / "statistics", tracker=tracker)
    assert json.loads((tmp_path / "statistics" / "statistics.json").read_text())["num_images"] == 13
    assert tracker.values["beam/sum_colours/images"] == 13
    assert sorted(name for name in tracker.values if not name.startswith("beam/")) == [
        *(f"channel_mean/{c}" for c in "bgr"),
        *(f"colour_stddev/{n}" for n in (1, 2, 3)),
    ]
    assert 20 < tracker.values["colour_stddev/1"] < 128


def test_grey_images_have_one_axis_of_colour(tmp_path):
    grey = [jpeg(n, mode="L", format="PNG", width=8, height=8) for n in range(6)]
    run(prepare(tmp_path, images_per_shard=4, images=grey), tmp_path / "statistics")
    found = ColourStatistics.load(tmp_path / "statistics")
    assert found.eigenvalues[0] > 100
    np.testing.assert_array_equal(found.eigenvalues[1:], 0)
    np.testing.assert_allclose(found.eigenvectors[:, 0], 3**-0.5)
    assert len(set(found.channel_mean.tolist())) == 1


def test_records_of_another_size_are_refused(tmp_path, records):
    with pytest.raises(DataError, match="expected images for size 64, found 32"):
        run(records, tmp_path / "statistics", size=64)


def test_an_empty_training_split_is_refused(tmp_path):
    records = prepare(tmp_path, images_per_shard=4, images=[])
    with pytest.raises(DataError, match="expected images in the split train, found none"):
        run(records, tmp_path / "statistics")


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_shard_with_fewer_images_than_the_manifest_says_is_found(tmp_path, split):
    records = prepare(tmp_path, images_per_shard=13)
    path = records / f"{split}-00000-of-00001.tfrecord"
    *kept, _ = read_shard(path)
    with ShardWriter(path) as writer:
        for record in kept:
            writer.write(record)
    found = rf"{path.name}: expected {len(kept) + 1} images, found {len(kept)}; run the stage preprocess"
    with pytest.raises(DataError, match=found):
        run(records, tmp_path / "statistics")
    assert not (tmp_path / "statistics/statistics.json").exists()


def test_records_of_another_encoding_than_the_manifest_says_are_refused(tmp_path):
    records = prepare(tmp_path, images_per_shard=13)
    path = records / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"encoding": "jpeg"}))
    with pytest.raises(DataError, match="record 0: expected the feature image/jpeg, found none; run the stage preproc"):
        run(records, tmp_path / "statistics")


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_flipped_bit_is_found(tmp_path, split):
    records = prepare(tmp_path, images_per_shard=13)
    path = records / f"{split}-00000-of-00001.tfrecord"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{split}-00000-of-00001.tfrecord, record \d+ .*checksum"):
        run(records, tmp_path / "statistics")
