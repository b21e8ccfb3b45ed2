"""A set with ids as tensorflow-datasets prepares one, read by the stage download."""

import pytest

from alexnet_tf.data.tfrecord import ShardWriter, encode_example, read_shard
from alexnet_tf.errors import DataError
from tests.components.test_download import examples, keys, run


@pytest.fixture
def prepared(tmp_path):
    """A small set as tensorflow-datasets prepares one: two training shards, a test split, ids."""
    import tensorflow_datasets as tfds

    folder = tmp_path / "tfds" / "toy" / "1.2.0"
    folder.mkdir(parents=True)
    infos = []
    for split, lengths in (("train", [20, 20]), ("test", [4])):
        for number, length in enumerate(lengths):
            name = f"toy-{split}.tfrecord-{number:05d}-of-{len(lengths):05d}"
            with ShardWriter(folder / name) as writer:
                for row in range(length):
                    content = bytes([number, row]) + split.encode()
                    writer.write(encode_example({"image": content, "label": row % 2, "id": f"{split}_{number}_{row}"}))
        template = tfds.core.ShardedFileTemplate(
            dataset_name="toy", data_dir=folder, filetype_suffix="tfrecord", split=split
        )
        infos.append(tfds.core.SplitInfo(name=split, shard_lengths=lengths, num_bytes=1, filename_template=template))
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(8, 8, 3)),
            "label": tfds.features.ClassLabel(names=["cat", "dog"]),
            "id": tfds.features.Text(),
        }
    )
    tfds.folder_dataset.write_metadata(data_dir=folder, features=features, split_infos=infos, check_data=False)
    return tmp_path


@pytest.mark.parametrize("below", ["", "tfds"])
def test_a_prepared_set_is_read_as_it_is(prepared, below):
    manifest = run(prepared / "out", "tfds:toy", prepared / below)
    assert manifest["class_names"] == ["cat", "dog"]
    assert manifest["splits"]["test"]["num_examples"] == 4
    for example in examples(prepared / "out", "train"):
        split, name, identity = example["key"].decode().split("/")
        _, number, row = identity.split("_")
        assert (split, name) == ("train", ("cat", "dog")[example["label"]])
        assert example["image"] == bytes([int(number), int(row)]) + b"train"
    everything = keys(prepared / "out", "train") + keys(prepared / "out", "validation")
    assert len(set(everything)) == 40


@pytest.mark.parametrize(("kept", "found"), [(19, 19), (0, 0)])
def test_a_prepared_set_whose_files_differ_from_its_description_is_an_error(prepared, kept, found):
    path = prepared / "tfds" / "toy" / "1.2.0" / "toy-train.tfrecord-00001-of-00002"
    payloads = list(read_shard(path))[:kept]
    with ShardWriter(path) as writer:
        for payload in payloads:
            writer.write(payload)
    message = rf"{path.name}: expected 20 examples as dataset_info\.json says, found {found}; delete"
    with pytest.raises(DataError, match=message):
        run(prepared / "out", "tfds:toy", prepared)
    assert not (prepared / "out").exists()
