"""A greyscale set in the exact shape of MNIST's four files, from its download to a step of training."""

import csv
import json

import numpy as np
import pytest

from alexnet_tf.data.colour_statistics import ColourStatistics
from alexnet_tf.data.record_dataset import RecordDataset
from components import download, preprocess, statistics, train, validate
from components.interfaces import BeamRuntime, Runtime
from components.sources import tfds_preparation
from tests.alexnet_tf.small_training import alexnet_bn, input_spec, recipe
from tests.components.small_dataset import download_params, preprocess_params, validate_params
from tests.components.sources.test_tfds_preparation import place_digits

pytestmark = pytest.mark.slow

SIDE, SIZE = 28, 56


@pytest.mark.parametrize("encoding", ["raw", "jpeg"])
def test_a_greyscale_set_goes_through_to_a_step_of_training(tmp_path, monkeypatch, encoding):
    monkeypatch.setattr(tfds_preparation, "_unreachable", lambda url: "no network")
    placed = place_digits(tmp_path / "sources", "mnist", monkeypatch, train=60, test=20)
    runtime = Runtime(beam=BeamRuntime(num_workers=2), source_folder=tmp_path / "sources")

    dataset, verdict, schemas = tmp_path / "dataset", tmp_path / "verdict.json", tmp_path / "schemas"
    wanted = download_params("tfds:mnist", validation_share=0.2)
    download.run(download.Inputs(), download.Outputs(dataset), wanted, runtime)

    limits = validate_params(max_corrupt_share=0.0, max_class_imbalance=60.0, max_aspect=2.0)
    validate.run(validate.Inputs(dataset, schemas), validate.Outputs(tmp_path / "report", verdict), limits, runtime)
    modes = json.loads((tmp_path / "report" / "validation.json").read_text())["splits"]["train"]["modes"]
    assert list(modes) == ["L"]

    records = tmp_path / "records"
    sizes = preprocess_params(SIZE, stored_size=SIDE, max_pixels=10_000, images_per_shard=16, encoding=encoding)
    preprocess.run(preprocess.Inputs(dataset, verdict), preprocess.Outputs(records), sizes, runtime)
    splits = {name: RecordDataset.open(records, name) for name in ("train", "validation", "test")}
    assert splits["train"].num_examples + splits["validation"].num_examples == 60
    for name, split in splits.items():
        images = split.read(range(split.num_examples))
        assert (images == images[..., :1]).all()
        if encoding == "raw":
            expected = placed["test" if name == "test" else "train"]
            grey = [image.tobytes() for image in images[..., 0]]
            assert [expected[each] for each in grey] == split.labels.tolist()

    statistics_folder = tmp_path / "statistics"
    only_size = statistics.Params(size=SIZE)
    statistics.run(statistics.Inputs(records), statistics.Outputs(statistics_folder), only_size, runtime)
    colours = ColourStatistics.load(statistics_folder)
    assert len(set(colours.channel_mean.tolist())) == 1
    # One axis, from black to white; how exactly the others are none is a matter of rounding.
    np.testing.assert_allclose(colours.eigenvalues[1:], 0, atol=1e-12 * colours.eigenvalues[0])

    one_step = train.Params(
        seed=1,
        input=input_spec(crop_size=48, mean="pixel", divide_by=64.0),
        network=alexnet_bn(),
        training=recipe(epochs=1, global_batch_size=splits["train"].num_examples),
    )
    outputs = train.Outputs(tmp_path / "model", tmp_path / "training")
    train.run(train.Inputs(records, statistics_folder), outputs, one_step, runtime)
    (row,) = csv.DictReader((tmp_path / "training" / "history.csv").read_text().splitlines())
    assert row["step"] == "1"
    assert 0 < float(row["train_loss"]) < 10
