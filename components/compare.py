"""Put the variants side by side: the knobs that differ, errors with intervals, and a paired test.

Reads:
    trainings: one folder a variant with `history.csv` and `metrics.json`, as `train` writes them.
    evaluations: one folder a variant, as `evaluate` writes them. Folders of variants that are not among the
        parameters are left alone.

Writes `report/`:
    comparison.json: all numbers, see `alexnet_tf.comparison.compare`.
    comparison.md: the same as tables to read.
    metrics.json: variant -> headline numbers.
    errors.png, learning_curves.png; from the evaluations their pictures, as NAME_VARIANT.png.

Guarantees:
    Only files are read, no clock: equal reports give equal bytes. What a run cost is known to the tracker
    alone. A variant is tested against the baseline on the same images, one by one.

Fails when:
    a variant's reports are missing or broken, or two variants were tested on different images.
"""

import csv
import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from components.interfaces import Runtime, StageParams

if TYPE_CHECKING:
    from alexnet_tf.comparison import Evaluation, Training


@dataclass(frozen=True)
class Inputs:
    """What the stage reads."""

    trainings: Path
    evaluations: Path


@dataclass(frozen=True)
class Outputs:
    """What the stage writes."""

    report: Path


class Params(StageParams):
    """What changes the result.

    Attributes:
        baseline: The variant that the others are compared with.
        confidence: Of every interval.
        bootstrap_samples: Samples behind the intervals of the paired differences.
        variants: Every variant's parameters, of which the report shows those that differ.
    """

    baseline: str
    confidence: Annotated[float, Field(gt=0, lt=1)]
    bootstrap_samples: Annotated[int, Field(ge=100)]
    variants: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]

    @model_validator(mode="after")
    def _baseline_is_a_variant(self) -> Self:
        if self.baseline not in self.variants:
            raise ValueError(f"baseline must be one of {', '.join(self.variants)}, received {self.baseline!r}")
        return self


def run(inputs: Inputs, outputs: Outputs, params: Params, runtime: Runtime) -> None:
    """Read the variants' reports and write the comparison."""
    from alexnet_tf import report
    from alexnet_tf.comparison import compare, headline
    from alexnet_tf.figures import error_bars, learning_curves

    evaluations, trainings = {}, {}
    with runtime.progress.task("compare", total=len(params.variants), unit="variants") as task:
        for name in params.variants:
            trainings[name] = read_training(inputs.trainings / name)
            evaluations[name] = read_evaluation(inputs.evaluations / name)
            task.advance()
    comparison = compare(
        evaluations,
        trainings,
        params.variants,
        baseline=params.baseline,
        confidence=params.confidence,
        bootstrap_samples=params.bootstrap_samples,
    )
    outputs.report.mkdir()
    numbers = headline(comparison)
    _write_json(outputs.report / "comparison.json", comparison)
    _write_json(outputs.report / "metrics.json", numbers)
    (outputs.report / "comparison.md").write_text(report.markdown(comparison), encoding="utf-8")
    (outputs.report / "errors.png").write_bytes(error_bars(comparison["errors"], confidence=params.confidence))
    (outputs.report / "learning_curves.png").write_bytes(learning_curves(comparison["curves"]))
    for name in params.variants:
        for source in sorted((inputs.evaluations / name).glob("*.png")):
            shutil.copyfile(source, outputs.report / f"{source.stem}_{name}.png")

    runtime.tracker.metrics(
        {f"test/{name}/{key}": value for name, values in numbers.items() for key, value in values.items()}
    )
    for path in sorted(outputs.report.iterdir()):
        runtime.tracker.artifact(path, folder="comparison")


def read_training(folder: Path) -> "Training":
    """Read what `train` reported; a DataError names the file that is missing or broken."""
    from alexnet_tf.comparison import Training

    metrics = _read_json(folder / "metrics.json", stage="train")
    rows = _read_csv(folder / "history.csv", stage="train")
    history: dict[str, list[float | None]] = {column: [] for column in rows[0]} if rows else {}
    for row in rows:
        for column, values in history.items():
            values.append(_number(row[column]))
    return Training(metrics=metrics, history=history)


def read_evaluation(folder: Path) -> "Evaluation":
    """Read what `evaluate` reported; a DataError names the file that is missing or broken."""
    from alexnet_tf.comparison import Evaluation
    from alexnet_tf.correctness import read_correctness

    metrics = _read_json(folder / "metrics.json", stage="evaluate")
    found = read_correctness(folder / "correct.npz", way_out=f"run the stage evaluate@{folder.name}")
    rows = _read_csv(folder / "per_class.csv", stage="evaluate")
    per_class = {row["class"]: (int(row["num_examples"]), _number(row["ten_crop_top1_error"])) for row in rows}
    return Evaluation(
        num_examples=metrics["num_examples"],
        keys_sha256=found.keys_sha256,
        metrics={view: metrics[view] for view in ("center", "ten_crop")},
        correct=found.right,
        per_class=per_class,
        slices=[_slice(row) for row in _read_csv(folder / "slices.csv", stage="evaluate")],
        gallery=_read_json(folder / "gallery.json", stage="evaluate"),
    )


def _slice(row: Mapping[str, str]) -> dict[str, Any]:
    numbers = {name: _number(row[name]) for name in ("low", "high", "top1_error")}
    return {"quantity": row["quantity"], "num_examples": int(row["num_examples"])} | numbers


def _number(text: str) -> float | None:
    """Read a cell; an empty one, or one that JSON cannot hold, is None."""
    value = float(text) if text else math.nan
    return value if math.isfinite(value) else None


def _read_json(path: Path, *, stage: str) -> dict[str, Any]:
    """Read a JSON file; a number that JSON does not know (NaN) becomes None."""
    return json.loads(_read_text(path, stage=stage), parse_constant=lambda _: None)


def _read_csv(path: Path, *, stage: str) -> list[dict[str, str]]:
    return list(csv.DictReader(_read_text(path, stage=stage).splitlines()))


def _read_text(path: Path, *, stage: str) -> str:
    from alexnet_tf.errors import DataError

    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): run the stage {stage}@{path.parent.name}."
        ) from error


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")
