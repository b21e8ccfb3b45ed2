import csv
import hashlib
import json
from collections import Counter
from types import SimpleNamespace

import numpy as np
import paper_figures
import pytest
from pydantic import ValidationError

from alexnet_tf.errors import DataError
from alexnet_tf.evaluation import tables
from alexnet_tf.metrics.correctness import read_correctness
from alexnet_tf.metrics.significance import wilson_interval
from alexnet_tf.metrics.top_k import score_views
from components import evaluate
from components.compare import read_evaluation
from components.interfaces import Runtime, SilentTracker
from tests.components.recorder import RecordingTracker

CLASSES = ("ash", "birch", "cedar", "elm", "fir", "gum")
NUM = 11


class Split:
    """Eleven images of noise, 16 pixels wide, in an order that is not that of their keys."""

    num_examples = NUM
    class_names = CLASSES
    folder, size, stored_size, source_digest = "records", 80, 16, "ab"
    labels = np.arange(NUM, dtype=np.int32) % 6
    widths = np.full(NUM, 500)
    heights = 300 + 40 * np.arange(NUM)

    def __init__(self, split):
        self.split = split

    @classmethod
    def open(cls, folder, split):
        return cls(split)

    def keys(self):
        return [f"{self.split}/{(5 * index) % NUM:02}" for index in range(NUM)]

    def read(self, indices):
        rng = np.random.default_rng(0)
        return rng.integers(0, 256, (NUM, 16, 16, 3), dtype=np.uint8)[np.asarray(indices)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """An untrained model of six classes in two towers: crops of 63 from images of 16, enlarged to 80."""
    from alexnet_tf.models.classifier import write_classifier
    from tests.alexnet_tf.small_networks import classifier_of_six

    folder = tmp_path_factory.mktemp("model") / "faithful"
    write_classifier(folder, classifier_of_six(faithful=True))
    return folder


@pytest.fixture
def records(monkeypatch):
    from alexnet_tf.data import record_dataset

    monkeypatch.setattr(record_dataset, "RecordDataset", Split)


def _run(report, model, *, batch_size, neighbour_pool=6, tracker=None):
    inputs = evaluate.Inputs(records=report.parent / "records", model=model)
    params = evaluate.Params(batch_size=batch_size, neighbour_pool=neighbour_pool)
    runtime = Runtime(tracker=tracker or SilentTracker(), devices=("CPU:0",))
    evaluate.run(inputs, evaluate.Outputs(report=report), params, runtime)


@pytest.fixture(scope="module")
def evaluated(model, tmp_path_factory):
    """A report of batches of four, the last of three, and what the tracker heard."""
    from alexnet_tf.data import record_dataset

    report, tracker = tmp_path_factory.mktemp("evaluate") / "report", RecordingTracker()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_dataset, "RecordDataset", Split)
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
        "slices.csv",
        "calibration.csv",
        "gallery.json",
        "gallery.png",
        "conv1_kernels.png",
        "confusion.png",
        "calibration.png",
        "neighbours.png",
        "top5_best.png",
        "top5_unselected.png",
        "top5_worst.png",
    }
    metrics = json.loads((report / "metrics.json").read_text())
    assert metrics["num_examples"] == NUM
    for view in ("center", "ten_crop"):
        assert 0 <= metrics[view]["top5_error"] <= metrics[view]["top1_error"] <= 1
        for error in ("top1_error", "top5_error"):
            interval = [metrics[view][f"{error}_{end}"] for end in ("low", "high")]
            assert interval == pytest.approx(wilson_interval(metrics[view][error], NUM, confidence=0.95))
    gain, bits = metrics["ten_crop_less_center"], read_correctness(report / "correct.npz", way_out="again").right
    expected = np.mean(bits["center_top1"]) - np.mean(bits["ten_crop_top1"])
    assert gain["top1_difference"] == pytest.approx(expected)
    assert gain["top1_difference_low"] <= gain["top1_difference"] <= gain["top1_difference_high"]
    assert 0 < gain["p_value"] <= 1
    # Those of the test's own centre crops, as the training images here are the test images again.
    own = {name: value for name, value in metrics["center"].items() if name != "calibration_error"}
    assert metrics["training_images"] == pytest.approx({"num_examples": NUM} | own)
    conv1 = metrics["conv1"]
    assert set(conv1) == {"colour_share_tower1", "colour_share_tower2", "towers_apart_p_value"}
    untrained = [conv1["colour_share_tower1"], conv1["colour_share_tower2"]]
    assert untrained == pytest.approx([2 / 3, 2 / 3], abs=0.05)
    assert (metrics["neighbours"]["num_queries"], metrics["neighbours"]["num_candidates"]) == (NUM, 6)
    # The training images here are the test images again, six of them, all of which are among the six nearest.
    labels = Split.labels[np.arange(6) * NUM // 6]
    same = np.mean(Split.labels[:, None] == labels)
    assert metrics["neighbours"]["same_class_last_hidden"] == metrics["neighbours"]["same_class_pixels"] == same


def test_the_images_of_the_training_split_are_scored_once_each(model, tmp_path, monkeypatch):
    from alexnet_tf.data import record_dataset

    seen = []

    class Noted(Split):
        def read(self, indices):
            seen.extend(indices if self.split == "train" else [])
            return super().read(indices)

    monkeypatch.setattr(record_dataset, "RecordDataset", Noted)
    _run(tmp_path / "report", model, batch_size=4, neighbour_pool=0)
    assert set(seen) == set(range(NUM))
    assert len(seen) <= NUM + 3  # the last batch is filled up


def test_the_page_shows_every_picture_that_is_written(evaluated):
    from alexnet_tf.comparison.gallery import pictures

    written = {path.stem: path.read_bytes() for path in evaluated[0].glob("*.png")}
    assert len(written) == 8
    gallery = json.loads((evaluated[0] / "gallery.json").read_text())
    comparison = {"variants": ["one"], "gallery": {"one": gallery}, "per_class": [], "towers": {"one": 2}}
    page = pictures(comparison, {f"{name}_one.png": content for name, content in written.items()})
    assert page.count("<figure>") == len(written)  # of which the sheet has no figure of its own, and occlusion has one
    tiles = sum(len(gallery[kind]) for kind in gallery) + sum(len(each["neighbours"]) for each in gallery["neighbours"])
    assert page.count('src="data:image/jpeg') == tiles
    drawings = [path for path in written if not path.startswith(("top5", "neighbours", "gallery"))]
    assert page.count('src="data:image/png') == len(drawings) == 3
    assert {name.removesuffix(".png") for name in paper_figures.PICTURES} <= set(written)


def test_bits_rows_and_errors_tell_the_same_story(evaluated):
    report, _ = evaluated
    evaluation = read_evaluation(report)
    keys = Split("test").keys()
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
    counted = Counter((row["label"], row["ten_crop_class"]) for row in predictions)
    assert {(row["label"], row["predicted"]): int(row["num_examples"]) for row in confusion} == counted
    assert any(counted[one, other] != counted[other, one] for one, other in counted)  # true class first
    per_class = list(csv.DictReader((report / "per_class.csv").read_text().splitlines()))
    weighted = sum(int(row["num_examples"]) * float(row["ten_crop_top1_error"]) for row in per_class)
    assert weighted / NUM == pytest.approx(evaluation.metrics["ten_crop"]["top1_error"], abs=1e-5)
    for row in per_class:
        error, *interval = (float(row[f"ten_crop_top1_error{end}"]) for end in ("", "_low", "_high"))
        assert interval == pytest.approx(wilson_interval(error, int(row["num_examples"]), confidence=0.95), abs=1e-5)


def test_slices_and_bins_hold_every_image(evaluated):
    report, _ = evaluated
    slices = list(csv.DictReader((report / "slices.csv").read_text().splitlines()))
    for quantity in ("short side, px", "width / height", "brightness, 0..255"):
        assert sum(int(row["num_examples"]) for row in slices if row["quantity"] == quantity) == NUM
    shapes = {(row["low"], row["high"]): int(row["num_examples"]) for row in slices if row["quantity"][0] == "w"}
    # 500 pixels wide; 300..700 high in steps of 40.
    assert shapes == {("0.7", "0.95"): 5, ("0.95", "1.05"): 1, ("1.05", "1.4"): 3, ("1.4", "inf"): 2}
    bins = list(csv.DictReader((report / "calibration.csv").read_text().splitlines()))
    for view in ("center", "ten_crop"):
        assert sum(int(row["num_examples"]) for row in bins if row["view"] == view) == NUM


def test_the_gallery_says_what_the_pictures_show(evaluated):
    report, _ = evaluated
    gallery = json.loads((report / "gallery.json").read_text())
    by_key = {row["key"]: row for row in csv.DictReader((report / "predictions.csv").read_text().splitlines())}
    for kind in ("unselected", "best", "worst"):
        for shown in gallery[kind]:
            row = by_key[shown["key"]]
            assert shown["label"] == row["label"]
            assert shown["top"][0]["class"] == row["ten_crop_class"]
            assert shown["top"][0]["probability"] == pytest.approx(float(row["ten_crop_probability"]), abs=1e-6)
    worst = [-np.log(float(by_key[shown["key"]]["ten_crop_label_probability"])) for shown in gallery["worst"]]
    assert worst == sorted(worst, reverse=True)
    for hidden, shown in zip(gallery["occlusion"], gallery["unselected"], strict=True):
        row = by_key[hidden["key"]]
        assert (hidden["key"], hidden["label"], hidden["class"]) == (shown["key"], row["label"], row["center_class"])
        assert hidden["probability"] == pytest.approx(float(row["center_probability"]), abs=1e-5)
        assert hidden["lowest"] > 0
    for query in gallery["neighbours"]:
        assert query["key"].startswith("test/")
        distances = [found["distance"] for found in query["neighbours"]]
        assert len(distances) == 6
        assert distances == sorted(distances)
        assert all(found["key"].startswith("train/") for found in query["neighbours"])


def test_among_all_training_images_an_image_is_its_own_nearest_and_six_are_shown(records, model, tmp_path):
    """The training images here are the test images again, in the same order."""
    _run(tmp_path / "report", model, batch_size=4, neighbour_pool=NUM)
    queries = json.loads((tmp_path / "report" / "gallery.json").read_text())["neighbours"]
    assert len(queries) == 5
    for query in queries:
        first = query["neighbours"][0]
        assert first == {"key": query["key"].replace("test/", "train/"), "label": query["label"], "distance": 0}
        assert len({found["key"] for found in query["neighbours"]}) == len(query["neighbours"]) == 6


def test_the_batch_size_changes_no_count_and_no_pool_means_no_neighbours(evaluated, records, model, tmp_path):
    report, _ = evaluated
    _run(tmp_path / "whole", model, batch_size=50, neighbour_pool=0)
    assert not (tmp_path / "whole" / "neighbours.png").exists()
    assert "neighbours" not in json.loads((tmp_path / "whole" / "gallery.json").read_text())
    assert "neighbours" not in json.loads((tmp_path / "whole" / "metrics.json").read_text())
    for name in ("correct.npz", "confusion.csv", "per_class.csv", "conv1_kernels.png"):
        assert (report / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_tracker_gets_costs_and_files_and_reads_the_errors_from_the_report(evaluated):
    report, tracker = evaluated
    assert set(tracker.values) == {"cost/images_per_second"}
    assert {"evaluation/confusion.png", "evaluation/metrics.json"} <= set(tracker.files)
    metrics = json.loads((report / "metrics.json").read_text())
    groups = ("center", "ten_crop", "conv1", "ten_crop_less_center", "neighbours", "training_images")
    assert set(groups) <= metrics.keys()


def test_other_classes_than_the_records_are_refused(records, model, tmp_path, monkeypatch):
    monkeypatch.setattr(Split, "class_names", ("a", "b"))
    with pytest.raises(DataError, match=r"knows 6 classes \(ash \.\.\.\).*holds 2 \(a \.\.\.\)"):
        _run(tmp_path / "report", model, batch_size=4)
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize("changed", [{"size": 96}, {"stored_size": 20}])
def test_images_of_another_size_than_the_model_was_trained_on_are_refused(
    records, model, tmp_path, monkeypatch, changed
):
    for name, value in changed.items():
        monkeypatch.setattr(Split, name, value)
    size, stored = changed.get("size", 80), changed.get("stored_size", 16)
    message = f"of 80 pixels, stored at 16, but records holds images of {size}, stored at {stored}: train the model on"
    with pytest.raises(DataError, match=message):
        _run(tmp_path / "report", model, batch_size=4)
    assert not (tmp_path / "report").exists()


def test_broken_keys_are_told_before_the_scoring(records, model, tmp_path, monkeypatch):
    def broken(self):
        raise DataError("test.keys.txt does not exist")

    monkeypatch.setattr(Split, "keys", broken)
    monkeypatch.setattr("alexnet_tf.evaluation.evaluate.evaluate", None)
    with pytest.raises(DataError, match=r"test\.keys\.txt"):
        _run(tmp_path / "report", model, batch_size=4)


def test_an_empty_test_split_is_refused(records, model, tmp_path, monkeypatch):
    monkeypatch.setattr(Split, "num_examples", 0)
    with pytest.raises(DataError, match="test split holds no image"):
        _run(tmp_path / "report", model, batch_size=4)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, "64"])
def test_a_batch_size_that_is_none_is_refused(batch_size):
    with pytest.raises(ValidationError):
        evaluate.Params(batch_size=batch_size, neighbour_pool=0)


@pytest.mark.parametrize("num", [5, 6])
def test_only_of_more_than_five_classes_a_file_has_a_top_5_error(tmp_path, num):
    split = Split("test")
    split.labels, split.class_names = Split.labels % num, CLASSES[:num]
    logits = np.random.default_rng(0).normal(size=(NUM, 10, num)).astype(np.float32)
    brightness = np.arange(NUM, dtype=np.float32)
    evaluated = SimpleNamespace(predictions=score_views(logits, split.labels), brightness=brightness)
    tables.write(tmp_path, evaluated, split, others={})
    assert any(b"top5" in path.read_bytes() for path in tmp_path.iterdir()) == (num > 5)
