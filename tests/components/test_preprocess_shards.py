import json

import pytest

from alexnet_tf.data.tfrecord import ShardWriter, encode_example
from alexnet_tf.errors import DataError
from tests.components.small_dataset import jpeg, write_dataset
from tests.components.test_preprocess import run


@pytest.mark.parametrize(
    ("example", "message"),
    [
        ({"image": jpeg(0), "label": 1}, "expected image, label and key, found image, label; run"),
        ({"label": 1, "key": "a.jpeg"}, "expected image, label and key, found key, label; run"),
        ({"image": jpeg(0), "label": 1, "key": 7}, "expected one image, one label and one key; run"),
        ({"image": jpeg(0), "label": 1, "key": []}, "expected one image, one label and one key; run"),
        ({"image": jpeg(0), "label": 1, "key": ["a.jpeg", "b.jpeg"]}, "expected one image, one label and one key; run"),
        (
            {"image": jpeg(0), "label": 1, "key": "a\nb.jpeg"},
            "expected a key on one line, found 'a\\\\nb.jpeg'; rename",
        ),
        (
            {"image": jpeg(0), "label": 3, "key": "a.jpeg"},
            r"expected a label of 0\.\.2, found 3; run the stage download",
        ),
        ({"image": jpeg(0), "label": -1, "key": "a.jpeg"}, r"expected a label of 0\.\.2, found -1; run"),
    ],
)
def test_an_example_that_download_would_not_write_is_named(tmp_path, example, message):
    inputs = write_dataset(tmp_path, {"train": [jpeg(0)]}, num_shards=1)
    manifest = json.loads((inputs["dataset"] / "manifest.json").read_text())
    shard = inputs["dataset"] / manifest["splits"]["train"]["shards"][0]["file"]
    with ShardWriter(shard) as writer:
        writer.write(encode_example(example))
    with pytest.raises(DataError, match=f"{shard}, record at byte 0(, key a.jpeg)?: {message}"):
        run(inputs, tmp_path / "out" / "records")
