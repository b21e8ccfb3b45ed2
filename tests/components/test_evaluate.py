import csv
import hashlib
import json

import numpy as np
import pytest
from pydantic import ValidationError

from alexnet_tf.errors import DataError
from components import evaluate
from components.compare import read_evaluation
from components.interfaces import Runtime

CLASSES = ("ash", "birch", "cedar", "elm", "fir", "gum")
NUM = 11


class Split:
    """Eleven images of noise, 16 pixels wide, in an order that is not that of their keys."""

    num_examples = NUM
    class_names = CLASSES
    labels = np.arange(NUM, dtype=np.int32) % 6

    @classmethod
    def open(cls, folder, split):
        assert split == "test"
        return cls()

    def keys(self):
        return [f"test/{(5 * index) % NUM:02}" for index in range(NUM)]

    def read(self, indices):
        rng = np.random.default_rng(0)
        return rng.integers(0, 256, (NUM, 16, 16, 3), dtype=np.uint8)[np.asarray(indices)]


class Recorder:
    def __init__(self):
        self.values, self.words, self.files = {}, {}, []

    def metrics(self, values, *, step=None):
        self.values |= values

    def tags(self, values):
        self.words |= values

    def artifact(self, path, *, folder=""):
        self.files.append(path.name)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """An untrained model of six classes in two towers: crops of 63 from images of 16, enlarged to 80."""
    from alexnet_tf.architecture import AlexNet
    from alexnet_tf.augment import Views
    from alexnet_tf.bundle import Bundle, save_bundle
    from alexnet_tf.networks import build
    from alexnet_tf.recipe import InputSpec

    spec = AlexNet(
        name="alexnet",
        filters=[4] * 5,
        dense_units=[8, 8],
        towers=2,
        activation="relu",
        lrn=True,
        lrn_alpha=2e-5,
        lrn_beta=0.75,
        lrn_k=2.0,
        lrn_size=5,
        lrn_scope="tower",
        lrn_order="after_relu",
        dropout_scaling="at_test",
        same_map_normalization=False,
        pooling="overlapping",
        dropout=0.5,
        weight_stddev=[0.1] * 8,
        bias=[0.0] * 8,
    )
    views = Views(InputSpec(crop_size=63, mean="channel", divide_by=64.0), 16, 80, np.float32([90, 100, 110]))
    folder = tmp_path_factory.mktemp("model") / "faithful"
    save_bundle(folder, Bundle(build(spec, crop_size=63, num_classes=6, seed=2), views, CLASSES, "float32"))
    return folder


@pytest.fixture
def records(monkeypatch):
    from alexnet_tf import record_split

    monkeypatch.setattr(record_split, "RecordSplit", Split)


def _run(report, model, *, batch_size, tracker=None):
    inputs = evaluate.Inputs(records=report.parent / "records", model=model)
    runtime = Runtime(tracker=tracker or Recorder(), devices=("CPU:0",))
    evaluate.run(inputs, evaluate.Outputs(report=report), evaluate.Params(batch_size=batch_size), runtime)


@pytest.fixture(scope="module")
def evaluated(model, tmp_path_factory):
    """A report of batches of four, the last of three, and what the tracker heard."""
    from alexnet_tf import record_split

    report, tracker = tmp_path_factory.mktemp("evaluate") / "report", Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_split, "RecordSplit", Split)
        _run(report, model, batch_size=4, tracker=tracker)
    return report, tracker


def test_writes_what_its_contract_says(evaluated):
    report, _ = evaluated
    assert {path.name for path in report.iterdir()} == {
        "metrics.json",
        "correct.npz",
        "per_class.csv",
        "confusion.csv",
        "predictions.csv",
        "conv1_kernels.png",
        "confusion.png",
    }
    metrics = json.loads((report / "metrics.json").read_text())
    assert metrics["num_examples"] == NUM
    for view in ("center", "ten_crop"):
        assert 0 <= metrics[view]["top5_error"] <= metrics[view]["top1_error"] <= 1
        assert metrics[view]["top1_error_low"] < metrics[view]["top1_error"] < metrics[view]["top1_error_high"]


def test_bits_rows_and_errors_tell_the_same_story(evaluated):
    report, _ = evaluated
    evaluation = read_evaluation(report)
    keys = Split().keys()
    assert evaluation.keys_sha256 == hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()
    predictions = list(csv.DictReader((report / "predictions.csv").read_text().splitlines()))
    assert [row["key"] for row in predictions] == keys
    by_key = {row["key"]: row for row in predictions}
    for view in ("center", "ten_crop"):
        right = [by_key[key][f"{view}_class"] == by_key[key]["label"] for key in sorted(keys)]
        np.testing.assert_array_equal(evaluation.correct[f"{view}_top1"], right)
        assert evaluation.metrics[view]["top1_error"] == pytest.approx(1 - np.mean(right))
    confusion = list(csv.DictReader((report / "confusion.csv").read_text().splitlines()))
    assert sum(int(row["num_examples"]) for row in confusion) == NUM
    diagonal = sum(int(row["num_examples"]) for row in confusion if row["label"] == row["predicted"])
    assert diagonal == evaluation.correct["ten_crop_top1"].sum()
    per_class = list(csv.DictReader((report / "per_class.csv").read_text().splitlines()))
    weighted = sum(int(row["num_examples"]) * float(row["ten_crop_top1_error"]) for row in per_class)
    assert weighted / NUM == pytest.approx(evaluation.metrics["ten_crop"]["top1_error"], abs=1e-5)


def test_the_batch_size_changes_no_count(evaluated, records, model, tmp_path):
    report, _ = evaluated
    _run(tmp_path / "whole", model, batch_size=50)
    for name in ("correct.npz", "confusion.csv", "per_class.csv", "conv1_kernels.png"):
        assert (report / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_tracker_gets_errors_costs_and_files(evaluated):
    _, tracker = evaluated
    expected = {"top1_error", "top5_error", "mean_loss"}
    assert set(tracker.values) == {f"test/{name}_{view}" for name in expected for view in ("center", "ten_crop")} | {
        "cost/seconds",
        "cost/images_per_second",
    }
    assert "confusion.png" in tracker.files


def test_other_classes_than_the_records_are_refused(records, model, tmp_path, monkeypatch):
    monkeypatch.setattr(Split, "class_names", ("a", "b"))
    with pytest.raises(DataError, match=r"knows 6 classes \(ash \.\.\.\).*holds 2 \(a \.\.\.\)"):
        _run(tmp_path / "report", model, batch_size=4)
    assert not (tmp_path / "report").exists()


def test_an_empty_test_split_is_refused(records, model, tmp_path, monkeypatch):
    monkeypatch.setattr(Split, "num_examples", 0)
    with pytest.raises(DataError, match="test split holds no image"):
        _run(tmp_path / "report", model, batch_size=4)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, "64"])
def test_a_batch_size_that_is_none_is_refused(batch_size):
    with pytest.raises(ValidationError):
        evaluate.Params(batch_size=batch_size)
