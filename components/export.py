"""Export a model that passed its gate, in a form that needs nothing of this project.

Reads:
    model: the folder of `train`.
    evaluation: the folder of `evaluate`, whose ten-crop error the gate judges.
    records: the folder of `preprocess`, for a few canary images of the test split.

Writes `export/`:
    blessing.json: `blessed`, and `rules`: for each the metric, its value, its bound and the verdict.
    saved_model/: signatures `ten_crop` (the default) and `center`, which take encoded image files and return
        probabilities, the five best classes by name, and logits; see `alexnet_tf.serving`.
    model.keras: the network alone, centred images in, logits out; loads where `alexnet_tf` is installed.
    class_names.txt: one name a line, in the order of the outputs.
    model_card.md: what it is, how well it does, how to call it.
    A model that did not pass leaves blessing.json alone, and the stage succeeds.

Guarantees:
    The SavedModel was loaded in a fresh process that cannot import this project, and answered the canary
    images with the logits of the trained model. No file holds a clock, a host or a path.

Fails when:
    an input is missing or broken, or the fresh process answers otherwise.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from components.interfaces import Runtime, StageParams

log = logging.getLogger(__name__)

NUM_CANARIES = 4


@dataclass(frozen=True)
class Inputs:
    """What the stage reads."""

    model: Path
    evaluation: Path
    records: Path


@dataclass(frozen=True)
class Outputs:
    """What the stage writes."""

    export: Path


class Gate(StageParams):
    """What a model must reach to be exported.

    Attributes:
        max_top1_error: Highest ten-crop top-1 error on the test split, a fraction.
    """

    max_top1_error: Annotated[float, Field(ge=0, le=1)]


class Params(StageParams):
    """What changes the result."""

    gate: Gate


def run(inputs: Inputs, outputs: Outputs, params: Params, runtime: Runtime) -> None:
    """Judge the model, and export it when it passed."""
    metrics = _read_metrics(inputs.evaluation / "metrics.json")
    blessing = judge(metrics, params.gate)
    outputs.export.mkdir()
    (outputs.export / "blessing.json").write_text(json.dumps(blessing, indent=1, sort_keys=True) + "\n")
    runtime.tracker.tags({"blessed": str(blessing["blessed"]).lower()})
    if blessing["blessed"]:
        with runtime.progress.task("export", total=2, unit="steps") as task:
            _export(inputs, outputs.export, metrics, runtime, task)
    else:
        rule = next(rule for rule in blessing["rules"] if rule["verdict"] == "fail")
        log.warning(
            "Not exported: %s is %.4f and may be %.4f at most (%s).",
            rule["metric"],
            rule["value"],
            rule["bound"],
            "gate.max_top1_error",
        )


def judge(metrics: dict[str, Any], gate: Gate) -> dict[str, Any]:
    """Hold an evaluation's metrics against the gate; a value equal to its bound passes."""
    value = metrics["ten_crop"]["top1_error"]
    rule = {
        "metric": "ten_crop.top1_error",
        "value": value,
        "bound": gate.max_top1_error,
        "verdict": "pass" if value <= gate.max_top1_error else "fail",
    }
    return {"blessed": rule["verdict"] == "pass", "rules": [rule]}


def _export(inputs: Inputs, folder: Path, metrics: dict[str, Any], runtime: Runtime, task) -> None:
    from alexnet_tf import serving
    from alexnet_tf.bundle import load_bundle
    from alexnet_tf.export_check import compare_in_fresh_process
    from alexnet_tf.keras_file import save_keras
    from alexnet_tf.model_card import model_card
    from alexnet_tf.record_split import RecordSplit

    split = RecordSplit.open(inputs.records, "test")
    bundle = load_bundle(inputs.model)
    serving.save(bundle, folder / "saved_model")
    task.advance()
    canaries = split.read(range(min(NUM_CANARIES, split.num_examples)))
    difference = compare_in_fresh_process(folder / "saved_model", bundle, canaries)
    task.advance()
    save_keras(bundle.model, folder / "model.keras")
    (folder / "class_names.txt").write_text("".join(f"{name}\n" for name in bundle.class_names), encoding="utf-8")
    (folder / "model_card.md").write_text(model_card(bundle, metrics), encoding="utf-8")
    runtime.tracker.metrics({"export/largest_logit_difference": difference})


def _read_metrics(path: Path) -> dict[str, Any]:
    from alexnet_tf.errors import DataError

    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is missing or broken ({error}): run the stage evaluate of this variant.") from error
