"""Put the variants side by side: the parameters that differ, errors with intervals, and a paired test.

Reads:
    trainings: one folder a variant with `history.csv` and `metrics.json`, as `train` writes them.
    evaluations: one folder a variant, as `evaluate` writes them. Folders of variants that are not among the
        parameters are left alone.

Writes:
    report: a folder.
        comparison.json: all numbers, see `alexnet_tf.comparison.compare.compare`.
        comparison.md: the same as tables to read.
        metrics.json: variant -> headline numbers.
        errors.png, learning_curves.png; from the evaluations their pictures, as NAME_VARIANT.png.
    metrics: a JSON file, small enough for Git: variant -> {"train": ..., "evaluate": ...}, the metrics.json of its two
        reports.

Guarantees:
    Only files are read, no clock: equal reports give equal bytes. What a run cost is known to the tracker
    alone. A variant is tested against the baseline on the same images, one by one.

Fails when:
    a variant's reports are missing, broken or something else, or two variants were tested on different images.
"""

import contextlib
import csv
import json
import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from alexnet_tf.errors import DataError
from alexnet_tf.whole_file import write_json
from components.interfaces import Runtime, StageParams

if TYPE_CHECKING:
    from alexnet_tf.comparison.compare import Evaluation, TrainingReport


@dataclass(frozen=True)
class Inputs:
    """What the stage reads."""

    trainings: Path
    evaluations: Path


@dataclass(frozen=True)
class Outputs:
    """What the stage writes."""

    report: Path
    metrics: Path


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


def run(inputs: Inputs, outputs: Outputs, params: Params, runtime: Runtime) -> str:
    """Read the variants' reports and write the comparison."""
    from alexnet_tf.comparison import page
    from alexnet_tf.comparison.compare import compare, headline_metrics
    from alexnet_tf.comparison.figures import error_bars, learning_curves

    evaluations, trainings, metrics = {}, {}, {}
    with runtime.progress.task("compare", total=len(params.variants), unit="variants") as task:
        for name in params.variants:
            trainings[name] = read_training(inputs.trainings / name)
            evaluations[name] = read_evaluation(inputs.evaluations / name)
            evaluated = _read_json(inputs.evaluations / name / "metrics.json", "evaluate")
            metrics[name] = {"train": trainings[name].metrics, "evaluate": evaluated}
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
    numbers = headline_metrics(comparison)
    write_json(outputs.report / "comparison.json", comparison)
    write_json(outputs.report / "metrics.json", numbers)
    write_json(outputs.metrics, metrics)
    (outputs.report / "comparison.md").write_text(page.markdown(comparison), encoding="utf-8")
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
    return " ".join(page.sentences(comparison))


def read_training(folder: Path) -> "TrainingReport":
    """Read what `train` reported; a DataError names the file that is missing, broken or something else."""
    from alexnet_tf.comparison.compare import TrainingReport

    metrics = _read_json(folder / "metrics.json", "train")
    with _reading(folder / "history.csv", "train") as text:
        rows = list(csv.DictReader(text.splitlines()))
        history = {column: [_number(row[column]) for row in rows] for column in (rows[0] if rows else ())}
    return TrainingReport(metrics=metrics, history=history)


def read_evaluation(folder: Path) -> "Evaluation":
    """Read what `evaluate` reported; a DataError names the file that is missing, broken or something else."""
    from alexnet_tf.comparison.compare import Evaluation
    from alexnet_tf.metrics.correctness import read_correctness
    from alexnet_tf.metrics.top_k import VIEWS

    with _reading(folder / "metrics.json", "evaluate") as text:
        metrics = _from_json(text)
        num_examples, views = metrics["num_examples"], {view: metrics[view] for view in VIEWS}
        for view in views.values():
            float(view["top1_error"])
    found = read_correctness(folder / "correct.npz", way_out=f"run the stage evaluate@{folder.name}")
    with _reading(folder / "per_class.csv", "evaluate") as text:
        rows = csv.DictReader(text.splitlines())
        per_class = {row["class"]: (int(row["num_examples"]), _number(row["ten_crop_top1_error"])) for row in rows}
    with _reading(folder / "slices.csv", "evaluate") as text:
        slices = [_slice(row) for row in csv.DictReader(text.splitlines())]
    return Evaluation(
        num_examples=num_examples,
        keys_sha256=found.keys_sha256,
        metrics=views,
        correct=found.right,
        per_class=per_class,
        slices=slices,
        gallery=_read_json(folder / "gallery.json", "evaluate"),
        source_digest=found.source_digest,
    )


def _slice(row: Mapping[str, str]) -> dict[str, Any]:
    numbers = {name: _number(row[name]) for name in ("low", "high", "top1_error")}
    return {"quantity": row["quantity"], "num_examples": int(row["num_examples"])} | numbers


def _number(text: str) -> float | None:
    """Read a cell; an empty one, or one that JSON cannot hold, is None."""
    value = float(text) if text else math.nan
    return value if math.isfinite(value) else None


def _read_json(path: Path, stage: str) -> dict[str, Any]:
    with _reading(path, stage) as text:
        return _from_json(text)


def _from_json(text: str) -> dict[str, Any]:
    """Read a JSON object; a number that JSON does not know (NaN) becomes None."""
    content = json.loads(text, parse_constant=lambda _: None)
    if not isinstance(content, dict):
        raise ValueError("no JSON object")
    return content


@contextlib.contextmanager
def _reading(path: Path, stage: str) -> Iterator[str]:
    """Give the text of a report's file; whatever keeps it from being understood is a DataError that names it."""
    try:
        yield path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): run the stage {stage}@{path.parent.name}."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise DataError(
            f"{path} is broken, or no report of the stage {stage} ({reason}): run the stage {stage}@{path.parent.name}."
        ) from error
