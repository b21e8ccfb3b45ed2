import csv
import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from alexnet_tf.errors import DataError
from components import compare
from components.interfaces import Runtime

STAGES = ("train", "evaluate")
CLASSES = ("ash", "birch", "cedar", "elm", "fir")
VARIANTS = {
    "faithful": {"images": "large", "training": {"epochs": 3, "optimizer": {"learning_rate": 0.01}}},
    "optimized": {"images": "small", "training": {"epochs": 3, "optimizer": {"learning_rate": 0.1}}},
}


def write_reports(root, name, correct, keys):
    """Write what `train` and `evaluate` would, of a model that is right where `correct` says."""
    training, evaluation = root / "train" / name, root / "evaluate" / name
    training.mkdir(parents=True)
    evaluation.mkdir(parents=True)
    (training / "metrics.json").write_text(json.dumps({"best_epoch": 3, "best_validation_top1_error": 0.25}))
    with (training / "history.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", "train_loss", "train_top1_error", "validation_loss", "validation_top1_error"])
        writer.writerows([[1, 2.3, 0.8, 2.2, 0.7], [2, 1.5, 0.5, "", ""], [3, 1.1, 0.3, 1.2, 0.25]])
    error = 1 - correct.mean()
    view = {"top1_error": error, "top5_error": 0.0, "mean_loss": 1.0}
    (evaluation / "metrics.json").write_text(
        json.dumps({"num_examples": len(correct), "center": view, "ten_crop": view})
    )
    bits = np.packbits(correct)
    digest = hashlib.sha256("\n".join(keys).encode()).hexdigest()
    everything = np.packbits(np.ones(len(correct), bool))
    np.savez(
        evaluation / "correct.npz",
        num=len(correct),
        keys_sha256=digest,
        center_top1=bits,
        ten_crop_top1=bits,
        center_top5=everything,
        ten_crop_top5=everything,
    )
    with (evaluation / "per_class.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["class", "num_examples", "ten_crop_top1_error"])
        writer.writerows([[label, 20, f"{error:.6f}"] for label in CLASSES[:4]] + [["fir", 0, ""]])
    (evaluation / "confusion.png").write_bytes(b"png of " + name.encode())
    (evaluation / "slices.csv").write_text(
        "quantity,low,high,num_examples,top1_error,top5_error,top1_error_low,top1_error_high\n"
        f"brightness,0,64,20,{error},0,0,1\nbrightness,64,inf,60,{error},0,0,1\n"
    )
    top = [{"class": "ash", "probability": 0.75}]
    (evaluation / "gallery.json").write_text(json.dumps({"best": [{"key": "k", "label": "elm", "top": top}]}))


@pytest.fixture
def reports(tmp_path):
    keys = [f"test/{index:03}" for index in range(80)]
    right = np.arange(80) < 40
    write_reports(tmp_path, "faithful", right, keys)
    write_reports(tmp_path, "optimized", right | (np.arange(80) >= 50), keys)
    return tmp_path


def _run(root, *, report="report", **changes):
    params = {"baseline": "faithful", "confidence": 0.95, "bootstrap_samples": 500, "variants": VARIANTS}
    inputs = compare.Inputs(trainings=root / "train", evaluations=root / "evaluate")
    outputs = compare.Outputs(report=root / report, metrics=root / f"{report}.json")
    compare.run(inputs, outputs, compare.Params(**(params | changes)), Runtime())
    return json.loads((root / report / "comparison.json").read_text())


def test_compares_on_the_same_images(reports):
    comparison = _run(reports)
    assert comparison["knobs"] == [
        {"key": "images", "values": {"faithful": "large", "optimized": "small"}},
        {"key": "training.optimizer.learning_rate", "values": {"faithful": 0.01, "optimized": 0.1}},
    ]
    paired = comparison["paired"]["optimized"]["ten_crop"]["top1_error"]
    assert paired["difference"] == pytest.approx(-30 / 80)
    assert (paired["only_baseline_correct"], paired["only_model_correct"]) == (0, 30)
    assert paired["p_value"] == pytest.approx(2 / 2**30)
    assert comparison["errors"]["faithful"]["ten_crop"]["top1_error"]["value"] == 0.5
    cell = {"value": 0.125, "num_examples": 60}
    assert comparison["slices"][1]["errors"]["optimized"] == cell
    assert [each["high"] for each in comparison["slices"]] == [64, None]
    assert comparison["curves"]["faithful"]["validation_loss"] == [2.2, None, 1.2]
    assert comparison["per_class"][4] == {
        "class": "fir",
        "num_examples": 0,
        "errors": {"faithful": None, "optimized": None},
    }


def test_writes_every_file_and_the_same_bytes_again(reports):
    _run(reports)
    _run(reports, report="again")
    files = {path.name: path.read_bytes() for path in (reports / "report").iterdir()}
    assert set(files) == {
        "comparison.json",
        "comparison.md",
        "metrics.json",
        "errors.png",
        "learning_curves.png",
        "confusion_faithful.png",
        "confusion_optimized.png",
    }
    assert files == {path.name: path.read_bytes() for path in (reports / "again").iterdir()}
    assert (reports / "report.json").read_bytes() == (reports / "again.json").read_bytes()
    metrics = json.loads(files["metrics.json"])
    assert metrics["optimized"]["ten_crop_top1_error"] == pytest.approx(0.125)
    assert "30.0 %" not in files["comparison.md"].decode()
    assert "37.5 percentage points lower" in files["comparison.md"].decode()


def test_the_metrics_are_those_of_both_reports_as_they_are(reports):
    _run(reports)
    assert json.loads((reports / "report.json").read_text()) == {
        variant: {stage: json.loads((reports / stage / variant / "metrics.json").read_text()) for stage in STAGES}
        for variant in VARIANTS
    }


def test_only_the_named_variants_are_read(reports):
    (reports / "train" / "old").mkdir()
    (reports / "evaluate" / "old").mkdir()
    comparison = _run(reports, variants={"faithful": VARIANTS["faithful"]})
    assert comparison["variants"] == ["faithful"]
    assert list(json.loads((reports / "report.json").read_text())) == ["faithful"]
    assert comparison["knobs"] == []
    assert comparison["paired"] == {}


def test_different_test_images_are_refused(reports):
    write_reports(reports, "third", np.ones(80, bool), [f"other/{index}" for index in range(80)])
    with pytest.raises(DataError, match="faithful and third were tested on different images"):
        _run(reports, variants=VARIANTS | {"third": {}})
    assert not (reports / "report").exists()


@pytest.mark.parametrize(
    ("stage", "file"),
    [("train", "history.csv"), ("evaluate", "metrics.json"), ("evaluate", "correct.npz"), ("evaluate", "gallery.json")],
)
def test_a_missing_file_is_named_with_its_stage(reports, stage, file):
    (reports / stage / "optimized" / file).unlink()
    with pytest.raises(DataError, match=f"{file} .*stage {stage}@optimized"):
        _run(reports)


@pytest.mark.parametrize(
    ("stage", "file", "content"),
    [
        ("train", "metrics.json", "{"),
        ("train", "metrics.json", "[]"),
        ("train", "history.csv", "epoch,train_loss\n1,much\n"),
        ("evaluate", "metrics.json", ""),
        ("evaluate", "metrics.json", "{}"),
        ("evaluate", "metrics.json", '{"num_examples": 3, "center": {"top1_error": 0.5}, "ten_crop": {"top1": 0.5}}'),
        ("evaluate", "metrics.json", '{"num_examples": 3, "center": 1, "ten_crop": 2}'),
        ("evaluate", "per_class.csv", "name,errors\nash,1\n"),
        ("evaluate", "slices.csv", "name,errors\nash,1\n"),
        ("evaluate", "gallery.json", "null"),
    ],
)
def test_a_broken_or_foreign_file_is_named_with_its_stage(reports, stage, file, content):
    (reports / stage / "optimized" / file).write_text(content)
    with pytest.raises(DataError, match=rf"optimized/{file} is broken, or no report .*stage {stage}@optimized"):
        _run(reports)
    assert not (reports / "report").exists()


def test_an_array_in_place_of_bits_is_named(reports):
    path = reports / "evaluate" / "optimized" / "correct.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(DataError, match=r"correct\.npz is missing or broken .*evaluate@optimized"):
        _run(reports)


def test_a_broken_bit_file_is_named(reports):
    path = reports / "evaluate" / "optimized" / "correct.npz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"correct\.npz is missing or broken"):
        _run(reports)


def test_the_baseline_must_be_a_variant():
    with pytest.raises(ValidationError, match="baseline must be one of faithful, optimized, received 'paper'"):
        compare.Params(baseline="paper", confidence=0.95, bootstrap_samples=100, variants=VARIANTS)


def test_needs_no_tensorflow(reports):
    code = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "from pathlib import Path\n"
        "from components import compare, evaluate, export\n"
        "from components.interfaces import Runtime\n"
        f"root = Path({str(reports)!r})\n"
        "params = compare.Params(baseline='faithful', confidence=0.9, bootstrap_samples=100,"
        " variants={'faithful': {}, 'optimized': {}})\n"
        "inputs = compare.Inputs(root / 'train', root / 'evaluate')\n"
        "compare.run(inputs, compare.Outputs(root / 'report', root / 'report.json'), params, Runtime())\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (reports / "report" / "comparison.json").exists()
