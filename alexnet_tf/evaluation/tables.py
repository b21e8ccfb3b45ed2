"""The tables of an evaluation: metrics, per-image correctness, errors by class and slice, confusion, predictions."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alexnet_tf.metrics.calibration import Bin, calibration_error, reliability
from alexnet_tf.metrics.correctness import correctness, write_correctness
from alexnet_tf.metrics.significance import wilson_interval
from alexnet_tf.metrics.slices import Slice, quantities, slices
from alexnet_tf.metrics.top_k import CONFIDENCE, VIEWS, Predictions, error_of
from alexnet_tf.whole_file import write_json

if TYPE_CHECKING:
    from alexnet_tf.data.record_dataset import RecordDataset
    from alexnet_tf.evaluation.evaluate import Evaluated


def write(
    folder: Path,
    evaluated: "Evaluated",
    split: "RecordDataset",
    *,
    others: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:
    """Write all tables into an existing folder; layouts in `components.evaluate`.

    Args:
        folder: Where to.
        evaluated: What the model says of the images.
        split: The images.
        others: What belongs in metrics.json besides.

    Returns:
        What metrics.json holds.
    """
    labels, keys, class_names, predictions = split.labels, split.keys(), split.class_names, evaluated.predictions
    bins = {view: reliability(predictions[view]) for view in VIEWS}
    metrics: dict[str, Any] = {"num_examples": len(labels)}
    metrics |= {
        view: predictions[view].metrics() | {"calibration_error": calibration_error(bins[view])} for view in VIEWS
    }
    metrics |= others
    write_json(folder / "metrics.json", metrics)
    write_correctness(folder / "correct.npz", correctness(predictions, keys, split.source_digest))
    _write_csv(folder / "per_class.csv", per_class(predictions, labels, class_names))
    counts = confusion(predictions["ten_crop"], labels, num_classes=len(class_names))
    pairs = [[class_names[row], class_names[column], counts[row, column]] for row, column in np.argwhere(counts)]
    _write_csv(folder / "confusion.csv", [["label", "predicted", "num_examples"], *pairs])
    _write_csv(folder / "predictions.csv", _prediction_rows(predictions, labels, keys, class_names))
    values = quantities(widths=split.widths, heights=split.heights, brightness=evaluated.brightness)
    _write_csv(folder / "slices.csv", _slice_rows(slices(predictions["ten_crop"], values)))
    _write_csv(folder / "calibration.csv", _calibration_rows(bins))
    return metrics


def confusion(predictions: Predictions, labels: np.ndarray, *, num_classes: int) -> np.ndarray:
    """Count (K, K) int64 images by true class (row) and predicted class (column)."""
    cells = np.asarray(labels, np.int64) * num_classes + predictions.classes
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def per_class(
    predictions: Mapping[str, Predictions], labels: np.ndarray, class_names: Sequence[str]
) -> list[list[Any]]:
    """List each class's errors, header first; a class without test images has empty cells."""
    errors = [(view, k) for view in VIEWS for k in predictions[view].scores]
    header = ["class", "num_examples", *(f"{view}_top{k}_error" for view, k in errors)]
    rows: list[list[Any]] = [[*header, "ten_crop_top1_error_low", "ten_crop_top1_error_high"]]
    for index, name in enumerate(class_names):
        members = labels == index
        num = int(np.count_nonzero(members))
        if num == 0:
            rows.append([name, 0] + [""] * (len(errors) + 2))
            continue
        values = {(view, k): error_of(predictions[view].scores[k][members]) for view, k in errors}
        interval = wilson_interval(values["ten_crop", 1], num, confidence=CONFIDENCE)
        rows.append([name, num, *(f"{value:.6f}" for value in (*values.values(), *interval))])
    return rows


def _prediction_rows(
    predictions: Mapping[str, Predictions],
    labels: np.ndarray,
    keys: Sequence[str],
    class_names: Sequence[str],
) -> list[list[Any]]:
    header = ["key", "label"]
    for view in VIEWS:
        header += [f"{view}_class", f"{view}_probability", f"{view}_label_probability"]
    rows: list[list[Any]] = [header]
    for index, key in enumerate(keys):
        row = [key, class_names[labels[index]]]
        for view in VIEWS:
            scored = predictions[view]
            row.append(class_names[scored.classes[index]])
            row += [f"{scored.probabilities[index]:.6f}", f"{scored.label_probabilities[index]:.6f}"]
        rows.append(row)
    return rows


def _slice_rows(found: Sequence[Slice]) -> list[list[Any]]:
    ks = list(found[0].errors) if found else [1]
    header = ["quantity", "low", "high", "num_examples", *(f"top{k}_error" for k in ks)]
    rows: list[list[Any]] = [[*header, "top1_error_low", "top1_error_high"]]
    for each in found:
        numbers = [f"{value:.6f}" for value in (*each.errors.values(), *each.interval)]
        rows.append([each.quantity, f"{each.low:g}", f"{each.high:g}", each.num_examples, *numbers])
    return rows


def _calibration_rows(bins: Mapping[str, Sequence[Bin]]) -> list[list[Any]]:
    rows: list[list[Any]] = [["view", "low", "high", "num_examples", "mean_probability", "accuracy"]]
    for view, found in bins.items():
        for each in found:
            numbers = [f"{value:.6f}" for value in (each.confidence, each.accuracy)]
            rows.append([view, f"{each.low:.6f}", f"{each.high:.6f}", each.num_examples, *numbers])
    return rows


def _write_csv(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
