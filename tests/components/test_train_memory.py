"""Memory does not grow with the data set: the peak of a training on 200,000 images is that on 24."""

import hashlib
import json
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from alexnet_tf.data.record_dataset import RecordDataset
from components import preprocess
from components.interfaces import Runtime
from tests.components.small_dataset import jpeg, preprocess_params, write_dataset
from tests.components.test_train import parameters, write_records
from tests.components.training_process import trainings

MANY = 200_000


def list_again(records: Path, times: int) -> None:
    """Let the index name each image of the training split many times: a split of many images in few bytes."""
    path = records / "train.index.npy"
    np.save(path, np.tile(np.load(path), times))
    manifest = json.loads((records / "manifest.json").read_text())
    manifest["splits"]["train"]["index_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest["splits"]["train"]["num_examples"] *= times
    (records / "manifest.json").write_text(json.dumps(manifest))
    numbers = records.parent / "statistics/statistics.json"
    content = json.loads(numbers.read_text())
    numbers.write_text(json.dumps(content | {"num_images": content["num_images"] * times}))


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the peak is read from /proc")
def test_the_peak_is_that_of_few_images(tmp_path, root):
    peaks = {}
    for name, times in (("few", 1), ("many", MANY // 24)):
        inputs = write_records(tmp_path / f"data of {name}")
        list_again(inputs.records, times)
        with trainings(inputs, tmp_path, root) as processes:
            child = processes.start(name, parameters(epochs=30 if times == 1 else 1), interval=1e9)
            processes.wait_for_steps(child, name, 20)
            assert child.poll() is None, processes.log(name)
            status = Path(f"/proc/{child.pid}/status").read_text()
        peaks[name] = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024
    assert abs(peaks["many"] - peaks["few"]) < 64, peaks  # MiB; the pixels of so many would take 2,600


def test_images_that_were_read_are_not_kept(tmp_path):
    inputs = write_dataset(tmp_path, {"train": [jpeg(n) for n in range(40)]})
    records = preprocess.Outputs(tmp_path / "records")
    preprocess.run(preprocess.Inputs(**inputs), records, preprocess_params(128), Runtime())
    split = RecordDataset.open(records.records, "train")
    split.read([0])
    tracemalloc.start()
    try:
        for position in range(40):
            split.read([position])
        assert tracemalloc.get_traced_memory()[0] < 128 * 128 * 3  # one image
    finally:
        tracemalloc.stop()
