"""The stage train on small records."""

import csv
import hashlib
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import logsumexp

from alexnet_tf.data.colour_statistics import save_statistics
from alexnet_tf.data.moments import Moments
from alexnet_tf.data.record_dataset import INDEX
from alexnet_tf.data.tfrecord import ShardWriter, encode_example, feature_span
from alexnet_tf.errors import ConfigError, DataError
from components import train
from components.interfaces import Runtime
from tests.alexnet_tf.small_training import (
    alexnet,
    alexnet_bn,
    augmentation,
    four_layer,
    images,
    input_spec,
    optimizer,
    recipe,
)
from tests.components.recorder import RecordingProgress, RecordingTracker
from tests.components.small_dataset import CLASS_NAMES, contents

SIZE = 68


def write_records(folder, *, train=24, validation=9):
    """Write records and statistics of random images; image n has label n % 3."""
    records, statistics = folder / "records", folder / "statistics"
    records.mkdir(parents=True)
    statistics.mkdir()
    manifest = {"size": SIZE, "stored_size": SIZE, "encoding": "raw", "class_names": CLASS_NAMES, "splits": {}}
    for seed, (split, count) in enumerate({"train": train, "validation": validation}.items()):
        pixels = images(count, SIZE, seed=seed)
        index = np.zeros(count, INDEX)
        with ShardWriter(records / f"{split}-00000-of-00001.tfrecord") as writer:
            for n, image in enumerate(pixels):
                example = encode_example({"image/raw": image.tobytes(), "image/label": n % 3})
                offset = writer.write(example) + feature_span(example, "image/raw")[0]
                index[n] = (0, offset, image.nbytes, n % 3, SIZE, SIZE)
        np.save(records / f"{split}.index.npy", index)
        digest = hashlib.sha256((records / f"{split}.index.npy").read_bytes()).hexdigest()
        manifest["splits"][split] = {
            "num_examples": count,
            "shards": [vars(writer.info)],
            "index_sha256": digest,
            "source_digest": "",
        }
    (records / "manifest.json").write_text(json.dumps(manifest))
    save_statistics(statistics, Moments.of(images(train, SIZE), SIZE, 1))
    return train_inputs(folder)


def train_inputs(folder):
    return train.Inputs(folder / "records", folder / "statistics")


def parameters(network=None, *, crop_size=63, seed=3, **changes):
    network = network or alexnet_bn()
    return train.Params(
        seed=seed,
        input=input_spec(crop_size=crop_size, mean="pixel", divide_by=64.0),
        network=network,
        training=recipe(**changes),
    )


def test_muon_is_for_networks_whose_kernels_have_no_scale():
    muon = optimizer(name="muon")
    assert parameters(alexnet_bn(), optimizer=muon).training.optimizer.name == "muon"
    for network, name in ((alexnet(), "alexnet"), (four_layer(), "four_layer")):
        with pytest.raises(ValidationError, match=f"network.name must be alexnet_bn, got {name}"):
            parameters(network, optimizer=muon)


def run(inputs, folder, params, runtime=None):
    folder.mkdir(exist_ok=True)
    outputs = train.Outputs(folder / "model", folder / "report")
    train.run(inputs, outputs, params, runtime or Runtime())
    return contents(folder)


def test_it_writes_a_model_and_its_history(inputs, tmp_path):
    from alexnet_tf.models.classifier import read_classifier

    tracker = RecordingTracker()
    found = run(inputs, tmp_path / "a", parameters(), Runtime(tracker=tracker))
    assert sorted(found) == [
        "model/mean.npy",
        "model/model.json",
        "model/weights.safetensors",
        "report/history.csv",
        "report/metrics.json",
    ]
    rows = list(csv.DictReader(found["report/history.csv"].decode().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert [row["step"] for row in rows] == ["3", "6"]
    metrics = json.loads(found["report/metrics.json"])
    assert metrics["kept_epoch"] == 2
    assert (metrics["stalled"], metrics["precision_bits"]) == (True, 32)  # of so few steps
    assert metrics["last"]["epoch"] == 2
    assert metrics["best"]["validation_top1_error"] == min(float(row["validation_top1_error"]) for row in rows)
    classifier = read_classifier(tmp_path / "a" / "model")
    assert classifier.class_names == tuple(CLASS_NAMES)
    assert "cost/earlier_wall_seconds" not in tracker.values
    by_epoch = {step: values for step, values in tracker.by_step if step}
    assert sorted(by_epoch) == [1, 2]
    assert {"train/loss", "validation/top1_error", "learning_rate"} <= by_epoch[1].keys()
    for name in ("train/loss", "train/top1_error"):
        assert sorted(tracker.steps[name]) == [1, 2, 3, 4, 5, 6]
        of_first_epoch = [tracker.steps[name][step] for step in (1, 2, 3)]
        assert by_epoch[1][name] == pytest.approx(np.mean(of_first_epoch), rel=1e-6)


def test_the_report_says_how_many_bits_its_layers_computed_with(inputs, tmp_path):
    found = run(inputs, tmp_path / "a", parameters(epochs=1, precision="bfloat16"))
    assert json.loads(found["report/metrics.json"])["precision_bits"] == 16


def test_colour_axes_and_mean_are_those_of_the_training_images(inputs, tmp_path, monkeypatch):
    from alexnet_tf.training import step

    given = {}

    def recorded(**arguments):
        given.update(arguments)
        raise InterruptedError

    monkeypatch.setattr(step, "TrainStep", recorded)
    with pytest.raises(InterruptedError):
        run(inputs, tmp_path / "a", parameters())
    pixels = images(24, SIZE).astype(np.float64)
    axes = given["colour_axes"]
    np.testing.assert_allclose(axes @ axes.T, 0.01 * np.cov(pixels.reshape(-1, 3).T, ddof=0), rtol=1e-4)
    # The centre 63 of 68 pixels.
    np.testing.assert_allclose(given["views"].mean, pixels.mean(axis=0)[2:65, 2:65], rtol=1e-6)


def test_it_keeps_the_weights_whose_loss_on_the_validation_images_it_reports(inputs, tmp_path):
    from alexnet_tf.models.classifier import read_classifier

    found = run(inputs, tmp_path / "a", parameters(epochs=1, weight_averaging=0.9))
    classifier = read_classifier(tmp_path / "a" / "model")
    logits = classifier.model(classifier.views.center(images(9, SIZE, seed=1)), training=False).numpy()
    losses = logsumexp(logits, axis=1) - logits[np.arange(9), np.arange(9) % 3]
    reported = json.loads(found["report/metrics.json"])["last"]["validation_loss"]
    assert reported == pytest.approx(losses.mean(), rel=1e-4)


@pytest.mark.slow
def test_a_resumed_training_reports_the_steps_after_its_checkpoint_and_they_are_the_same(inputs, tmp_path, monkeypatch):
    from alexnet_tf.training import loop

    monkeypatch.setattr(loop, "SECONDS_PER_CALL", 0.0)
    whole, killed, resumed = RecordingTracker(), RecordingTracker(break_at=5), RecordingTracker()
    run(inputs, tmp_path / "a", parameters(), Runtime(tracker=whole))
    runtime = Runtime(tracker=killed, scratch=tmp_path / "scratch", checkpoint_interval_seconds=1e-9)
    with pytest.raises(KeyboardInterrupt):
        run(inputs, tmp_path / "b", parameters(), runtime)
    run(inputs, tmp_path / "b", parameters(), replace(runtime, tracker=resumed))
    assert sorted(resumed.steps["train/loss"]) == [5, 6]
    for name, steps in whole.steps.items():
        assert killed.steps[name] | resumed.steps[name] == steps


def test_it_says_what_each_epoch_came_to_and_the_best(inputs, tmp_path):
    progress, folder = RecordingProgress(), tmp_path / "a"
    folder.mkdir()
    outputs = train.Outputs(folder / "model", folder / "report")
    found = train.run(inputs, outputs, parameters(), Runtime(progress=progress))
    metrics = json.loads((outputs.report / "metrics.json").read_text())
    last, best = metrics["last"], metrics["best"]
    assert len(progress.lines) == 2
    words = (
        f"epoch 2 of 2: training error {100 * last['train_top1_error']:.1f} %, validation error "
        f"{100 * last['validation_top1_error']:.1f} %, learning rate {last['learning_rate']:.3g}, "
    )
    assert re.fullmatch(re.escape(words) + r"\d+\.\d s", progress.lines[1])
    lowest = "the lowest"
    if best["epoch"] == 1:
        lowest = f"the lowest is {100 * best['validation_top1_error']:.1f} % after epoch 1"
    assert found.startswith(
        f"validation error {100 * last['validation_top1_error']:.1f} % after epoch 2 ({lowest}), training error "
        f"{100 * last['train_top1_error']:.1f} %; the weights of epoch 2 are kept"
    )


def test_a_training_that_must_stay_at_chance_says_so_before_it_begins(inputs, tmp_path):
    progress = RecordingProgress()
    run(inputs, tmp_path / "a", parameters(alexnet(), epochs=1), Runtime(progress=progress))
    assert progress.lines[0].startswith("warning: this training is too short to learn anything")
    assert progress.lines[1].startswith("epoch 1 of 1")


def test_the_checkpoint_stays_until_the_result_is_in_its_place(inputs, tmp_path):
    scratch = tmp_path / "scratch"
    first = run(inputs, tmp_path / "a", parameters(), Runtime(scratch=scratch, checkpoint_interval_seconds=1e-9))
    assert (scratch / "checkpoint.safetensors").exists()
    tracker = RecordingTracker()
    assert run(inputs, tmp_path / "b", parameters(), Runtime(scratch=scratch, tracker=tracker)) == first
    by_epoch = {step: values for step, values in tracker.by_step if step}
    assert sorted(by_epoch) == [1, 2]  # the curves are whole after a resume
    assert "perf/epoch_seconds" not in by_epoch[1]  # which this process cannot know
    assert tracker.values["cost/earlier_wall_seconds"] > 0


def test_fresh_ignores_a_checkpoint(inputs, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (scratch / "checkpoint.safetensors").write_bytes(b"damaged")
    with pytest.raises(DataError, match="damaged"):
        run(inputs, tmp_path / "a", parameters(), Runtime(scratch=scratch))
    run(inputs, tmp_path / "b", parameters(), Runtime(scratch=scratch, fresh=True))


@pytest.mark.slow  # of a step, test_step.py shows it; that the stage gives its devices to the steps, this does
def test_two_devices_train_the_same_model_to_rounding(inputs, tmp_path, two_devices):
    from alexnet_tf.models.weights import load_arrays

    params = parameters(alexnet_bn(), epochs=1)
    run(inputs, tmp_path / "one", params)
    run(inputs, tmp_path / "two", params, Runtime(devices=tuple(two_devices)))
    one, two = (load_arrays(tmp_path / name / "model" / "weights.safetensors")[0] for name in ("one", "two"))
    for name, expected in one.items():
        # Three steps at rate 0.01 apart by float32 sums in another order.
        np.testing.assert_allclose(two[name], expected, rtol=5e-3, atol=1e-4, err_msg=name)


def test_a_batch_that_does_not_divide_among_the_devices_is_refused(inputs, tmp_path, two_devices):
    params = parameters(global_batch_size=7)
    with pytest.raises(ConfigError, match=r"divisible by the number of replicas \(2\), got 7"):
        run(inputs, tmp_path / "a", params, Runtime(devices=tuple(two_devices)))


def test_a_crop_larger_than_the_image_is_refused(inputs, tmp_path):
    with pytest.raises(ConfigError, match=r"input\.crop_size must be at most the image size 68, got 69"):
        run(inputs, tmp_path / "a", parameters(crop_size=69))


def test_a_crop_that_is_too_small_for_the_network_is_refused_with_the_parameters():
    with pytest.raises(ValidationError, match=r"the crop is too small for this network, got input\.crop_size 20"):
        parameters(alexnet(), crop_size=20)


def test_a_border_wider_than_the_image_is_refused(inputs, tmp_path):
    with pytest.raises(ConfigError, match=r"augmentation\.padding .* less than the image size 68, got 68"):
        run(inputs, tmp_path / "a", parameters(augmentation=augmentation(padding=68)))
    assert not any((tmp_path / "a").iterdir())


def test_one_class_is_refused(inputs, tmp_path):
    records = tmp_path / "records"
    shutil.copytree(inputs.records, records)
    manifest = json.loads((records / "manifest.json").read_text()) | {"class_names": ["tench"]}
    for split in manifest["splits"]:
        index = np.load(records / f"{split}.index.npy")
        index["label"] = 0
        np.save(records / f"{split}.index.npy", index)
        digest = hashlib.sha256((records / f"{split}.index.npy").read_bytes()).hexdigest()
        manifest["splits"][split]["index_sha256"] = digest
    (records / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="holds images of tench alone, so there is nothing to learn"):
        run(replace(inputs, records=records), tmp_path / "a", parameters())


def test_an_empty_validation_split_is_refused(tmp_path):
    empty = write_records(tmp_path / "data", validation=0)
    with pytest.raises(DataError, match=r"no validation images: all were rejected, .* repair or replace them"):
        run(empty, tmp_path / "a", parameters())


@pytest.mark.parametrize(("number", "size"), [(24, 32), (23, SIZE)])
def test_statistics_of_other_images_are_refused(inputs, tmp_path, number, size):
    save_statistics(tmp_path, Moments.of(images(number, size), size, 1))
    message = rf"is of {number} images of {size} pixels, but .* has 24 of 68 to train on: run the stage statistics"
    with pytest.raises(DataError, match=message):
        run(replace(inputs, statistics=tmp_path), tmp_path / "a", parameters())


def test_a_fault_of_ours_is_not_called_one_of_the_parameters(inputs, tmp_path, monkeypatch):
    from alexnet_tf.training import step

    def broken(**_):
        raise ValueError("shapes do not match")

    monkeypatch.setattr(step, "TrainStep", broken)
    with pytest.raises(ValueError, match="shapes do not match"):
        run(inputs, tmp_path / "a", parameters())
