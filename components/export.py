"""Export a model that passed its gate, in a form that needs nothing of this project.

Reads:
    model: the folder of `train`.
    evaluation: the folder of `evaluate`, whose ten-crop error the gate judges; its name is the variant's.
    records: the folder of `preprocess`, for a few images of the test split to check with.
    champions: a folder a variant with the `correct.npz` of the present champion, where there is one.

Writes `export/`:
    blessing.json: `blessed`, `confidence`, and `rules`: for each the metric, its value with its interval, its
        bound and the verdict; see `alexnet_tf.export.gate`.
    saved_model/: signatures `ten_crop` (the default) and `center`, which take encoded image files and return
        probabilities, the five best classes by name, and logits; see `alexnet_tf.export.saved_model`.
    model.keras: the network alone, centred images in, logits out; loads with `alexnet_tf.custom_objects()`.
    mean.npy: what is subtracted from those images, (3,) or the centre of the mean image, float32.
    class_names.txt: one name a line, in the order of the outputs.
    model_card.md: what it is, how well it does, how to call it.
    model.tflite, tflite.json: where `export.tflite` asks for it, the network with half-precision weights, and how far
        its answers are from the trained one's on test images; see `alexnet_tf.export.tflite`.
    model.onnx, onnx.json: where `export.onnx` asks for it, the network as ONNX, and the same of its answers in
        onnxruntime, in a fresh process; see `alexnet_tf.export.onnx_graph`.
    A model that did not pass leaves blessing.json alone, and the stage succeeds.

Guarantees:
    The SavedModel was loaded in a fresh process that cannot import this project, and answered those
    images with the logits of the trained model, and with the classes and probabilities that `evaluate` wrote.
    No file holds a clock, a host or a path.

Fails when:
    an input is missing or broken, the model was trained on other classes or images of another size than those of the
    records, the fresh process, the TensorFlow Lite file or the ONNX file answers otherwise, or `export.onnx` is true
    and the packages of the extra `onnx` are not installed, which is checked first.
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from alexnet_tf.errors import DataError
from alexnet_tf.whole_file import write_json
from components.interfaces import Runtime, StageParams

if TYPE_CHECKING:
    from alexnet_tf.export.gate import Rule

NUM_CHECKED = 4


@dataclass(frozen=True)
class Inputs:
    """What the stage reads."""

    model: Path
    evaluation: Path
    records: Path
    champions: Path


@dataclass(frozen=True)
class Outputs:
    """What the stage writes."""

    export: Path


class Gate(StageParams):
    """What a model must reach to be exported; the high ends of intervals are judged, not the values.

    Attributes:
        max_top1_error: Highest ten-crop top-1 error on the test split, a fraction.
        champion_margin: How much higher it may be than the champion's on the same images, a fraction.
        confidence: Of the intervals.
        bootstrap_samples: Samples behind the interval of the difference from the champion.
    """

    max_top1_error: Annotated[float, Field(ge=0, le=1)]
    champion_margin: Annotated[float, Field(ge=0, le=1)]
    confidence: Annotated[float, Field(gt=0, lt=1)]
    bootstrap_samples: Annotated[int, Field(ge=100)]


class Package(StageParams):
    """What is written of a model that passed.

    Attributes:
        tflite: `none`, or `float16`: also a TensorFlow Lite file with weights of that precision.
        onnx: Whether to write an ONNX file too; needs the extra `onnx`.
    """

    tflite: Literal["none", "float16"]
    onnx: bool


class Params(StageParams):
    """What changes the result."""

    gate: Gate
    export: Package


def run(inputs: Inputs, outputs: Outputs, params: Params, runtime: Runtime) -> str:
    """Judge the model, and export it when it passed."""
    from alexnet_tf.export.gate import blessing

    if params.export.onnx:
        from alexnet_tf.export.onnx_check import require_packages

        require_packages()
    metrics = _read_metrics(inputs.evaluation / "metrics.json")
    rules = _judge(inputs, params.gate, metrics)
    verdict = blessing(rules, confidence=params.gate.confidence)
    outputs.export.mkdir()
    write_json(outputs.export / "blessing.json", verdict)
    runtime.tracker.tags({"blessed": str(verdict["blessed"]).lower()})
    if not verdict["blessed"]:
        failed = [rule.sentence() for rule in rules if rule.verdict == "fail"]
        return f"not exported: {'; '.join(failed)}"
    parts = 2 + (params.export.tflite != "none") + params.export.onnx
    with runtime.progress.task("export", total=parts, unit="parts") as task:
        _export(inputs, outputs.export, params.export, metrics, runtime, task)
    return f"passed its gate: {'; '.join(rule.sentence() for rule in rules if rule.verdict == 'pass')}"


def _judge(inputs: Inputs, gate: Gate, metrics: dict[str, Any]) -> "list[Rule]":
    from alexnet_tf.export.gate import judge
    from alexnet_tf.metrics.correctness import read_correctness

    variant = inputs.evaluation.name
    found = read_correctness(inputs.evaluation / "correct.npz", way_out=f"run the stage evaluate@{variant}")
    kept = inputs.champions / variant / "correct.npz"
    champion = None
    if kept.parent.is_dir():
        champion = read_correctness(kept, way_out=f"delete {kept.parent}, or `alexnet promote {variant}`")
    return judge(metrics, found, champion, **gate.model_dump())


def _export(inputs: Inputs, folder: Path, package: Package, metrics: dict[str, Any], runtime: Runtime, task) -> None:
    from alexnet_tf.data.npy_file import save_npy
    from alexnet_tf.data.record_dataset import RecordDataset
    from alexnet_tf.export import saved_model
    from alexnet_tf.export.check import compare_in_fresh_process
    from alexnet_tf.export.keras_file import save_keras
    from alexnet_tf.export.model_card import model_card
    from alexnet_tf.models.classifier import read_classifier

    split = RecordDataset.open(inputs.records, "test")
    classifier = read_classifier(inputs.model)
    classifier.require_trained_on(split)
    saved_model.save(classifier, folder / "saved_model")
    task.advance()
    images = split.read(range(min(NUM_CHECKED, split.num_examples)))
    recorded = _recorded(inputs.evaluation / "predictions.csv", classifier.class_names, num=len(images))
    difference = compare_in_fresh_process(folder / "saved_model", classifier, images, recorded)
    task.advance()
    save_keras(classifier.model, folder / "model.keras")
    save_npy(folder / "mean.npy", classifier.views.mean)
    (folder / "class_names.txt").write_text("".join(f"{name}\n" for name in classifier.class_names), encoding="utf-8")
    extra = {}
    if package.tflite == "float16":
        from alexnet_tf.export import tflite

        content = tflite.convert(classifier)
        extra["tflite"] = _write(folder, "tflite", content, tflite.measure(content, classifier, split), runtime)
        task.advance()
    if package.onnx:
        from alexnet_tf.export import onnx_check, onnx_graph

        content = onnx_graph.convert(classifier)
        extra["onnx"] = _write(folder, "onnx", content, onnx_check.measure(content, classifier, split), runtime)
        task.advance()
    (folder / "model_card.md").write_text(model_card(classifier, metrics, **extra), encoding="utf-8")
    runtime.tracker.metrics({"export/largest_logit_difference": difference})


def _write(folder: Path, kind: str, content: bytes, measured: dict[str, Any], runtime: Runtime) -> dict[str, Any]:
    """Write a file that another runtime reads, and what was measured of it."""
    (folder / f"model.{kind}").write_bytes(content)
    write_json(folder / f"{kind}.json", measured)
    tracked = ("bytes", "max_logit_difference", "top1_agreement")
    runtime.tracker.metrics({f"export/{kind}_{name}": float(measured[name]) for name in tracked})
    return measured


def _recorded(path: Path, class_names: Sequence[str], *, num: int) -> list[dict[str, str]]:
    """Read the first rows of what `evaluate` said of each image."""
    from alexnet_tf.metrics.top_k import VIEWS

    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(islice(csv.DictReader(file), num))
        if len(rows) < num:
            raise ValueError(f"{len(rows)} rows")
        for row in rows:
            for view in VIEWS:
                float(row[f"{view}_probability"])
                if row[f"{view}_class"] not in class_names:
                    raise ValueError(f"the class {row[f'{view}_class']} of {row['key']}, which the model does not know")
        return rows
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        if isinstance(error, KeyError):
            found = f"no column {error}"
        else:
            found = error.strerror if isinstance(error, OSError) else error
        raise DataError(
            f"{path}: expected a class and a probability for each of {num} images and both views, found {found}:"
            " run the stage evaluate of this variant."
        ) from error


def _read_metrics(path: Path) -> dict[str, Any]:

    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        judged = (metrics["num_examples"], metrics["ten_crop"]["top1_error"])
        if not all(isinstance(number, int | float) for number in judged):
            raise ValueError("no numbers to judge by")
        return metrics
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is missing or broken ({error}): run the stage evaluate of this variant.") from error
