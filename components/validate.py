"""Look at every raw image before anything is made of it.

Reads: `dataset` as the stage `download` writes it.

Writes:
    report/validation.json   per split: counts, classes, sizes, formats, modes, EXIF orientations, corrupt
                             images; copies; anomalies; verdict
    report/statistics.pb     tensorflow_metadata DatasetFeatureStatisticsList, binary
    report/schema.pbtxt      tensorflow_metadata Schema
    report/anomalies.pbtxt   tensorflow_metadata Anomalies
    verdict                  {"verdict": "pass" | "warn"}

Guarantees: every image was decoded once, on Beam, shard by shard; equal data sets give equal files on any
runner.

Fails when: an anomaly is an ERROR (the report then goes to the tracker), or a shard is other than its
manifest says.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import text_format
from pydantic import Field

from alexnet_tf.anomalies import Anomaly, Limits, find_anomalies
from alexnet_tf.errors import DataError
from alexnet_tf.image_survey import Survey, copies, join, survey_images
from alexnet_tf.record_split import read_manifest
from alexnet_tf.records import decode_example, read_shard
from alexnet_tf.validation_protos import anomalies_proto, schema_proto, statistics_proto
from components.beam import run_shards
from components.interfaces import Runtime, StageParams

_LISTED = 100
_ERRORS_SHOWN = 3


@dataclass(frozen=True)
class Inputs:
    """The folder `dataset` that `download` writes."""

    dataset: Path


@dataclass(frozen=True)
class Outputs:
    """The folder `report` and the file `verdict` of the module's docstring."""

    report: Path
    verdict: Path


class Params(StageParams):
    """What is accepted; `alexnet_tf.anomalies.Limits` says what each does."""

    max_corrupt_share: float = Field(ge=0, le=1)
    max_class_imbalance: float = Field(ge=1)
    allow_split_leakage: bool
    min_side_px: int = Field(ge=1)
    max_aspect: float = Field(ge=1)


def run(inputs: Inputs, outputs: Outputs, params: Params, runtime: Runtime) -> None:
    """Carry out the stage; see the module's docstring."""
    manifest = read_manifest(inputs.dataset, stage="download")
    class_names = manifest["class_names"]
    outputs.report.mkdir()
    surveys = _survey(inputs.dataset, manifest, outputs.report, runtime)
    limits = Limits(**params.model_dump())
    anomalies = find_anomalies(surveys, class_names=class_names, limits=limits)
    errors = [anomaly.description for anomaly in anomalies if anomaly.severity == "ERROR"]
    verdict = "fail" if errors else "warn" if anomalies else "pass"

    report = _report(surveys, class_names, anomalies) | {"verdict": verdict}
    _write_json(outputs.report / "validation.json", report)
    statistics = statistics_proto(surveys, class_names=class_names)
    schema = schema_proto(class_names=class_names, limits=limits)
    (outputs.report / "statistics.pb").write_bytes(statistics.SerializeToString(deterministic=True))
    (outputs.report / "schema.pbtxt").write_text(text_format.MessageToString(schema))
    findings = anomalies_proto(anomalies, schema=schema)
    (outputs.report / "anomalies.pbtxt").write_text(text_format.MessageToString(findings))
    runtime.tracker.metrics({"anomalies": len(anomalies), "errors": len(errors)})
    if errors:
        runtime.tracker.artifact(outputs.report)
        more = f" And {len(errors) - _ERRORS_SHOWN} more errors." if len(errors) > _ERRORS_SHOWN else ""
        raise DataError(
            f"The data set is not fit for training: {' '.join(errors[:_ERRORS_SHOWN])}{more} Mend the "
            f"source, or change the limits in the section validate."
        )
    _write_json(outputs.verdict, {"verdict": verdict})


def survey_shard(task: tuple[str, int]) -> dict[str, list]:
    """Survey one shard, in a Beam worker.

    Args:
        task: The shard's path, and how many examples its manifest says it has.
    """
    path, num_examples = task
    columns = survey_images(decode_example(payload) for payload in read_shard(Path(path)))
    found = len(columns.get("keys", ()))
    if found != num_examples:
        raise DataError(
            f"{path}: expected {num_examples} examples as its manifest says, found {found}; run the stage "
            f"download again."
        )
    return columns


def _survey(dataset: Path, manifest: Mapping[str, Any], scratch: Path, runtime: Runtime) -> dict[str, Survey]:
    shards = [(split, shard) for split, content in sorted(manifest["splits"].items()) for shard in content["shards"]]
    tasks = [(str(dataset / shard["file"]), shard["num_examples"]) for _, shard in shards]
    results = run_shards(survey_shard, tasks, runtime=runtime, scratch=scratch, description="validate")
    parts: dict[str, list] = {split: [] for split in sorted(manifest["splits"])}
    for (split, _), columns in zip(shards, results, strict=True):
        parts[split].append(columns)
    return {split: join(columns) for split, columns in parts.items()}


def _report(surveys: Mapping[str, Survey], class_names: Sequence[str], anomalies: Sequence[Anomaly]) -> dict[str, Any]:
    groups = [[surveys[split].keys[row] for split, row in group] for group in copies(surveys)]
    return {
        "splits": {split: _split_report(survey, class_names) for split, survey in surveys.items()},
        "num_copied_images": len(groups),
        "copies": groups[:_LISTED],
        "anomalies": [asdict(anomaly) for anomaly in anomalies],
    }


def _split_report(survey: Survey, class_names: Sequence[str]) -> dict[str, Any]:
    counts = np.bincount(survey.labels, minlength=len(class_names)).tolist()
    corrupt = [
        {"key": key, "reason": reason} for key, reason in zip(survey.keys, survey.reasons, strict=True) if reason
    ]
    known = survey.widths > 0
    widths, heights = survey.widths[known], survey.heights[known]
    return {
        "num_examples": len(survey.keys),
        "num_corrupt": len(corrupt),
        "corrupt": corrupt[:_LISTED],
        "classes": dict(zip(class_names, counts, strict=True)),
        "bytes": _range(survey.num_bytes),
        "width": _range(widths),
        "height": _range(heights),
        "aspect": _range(widths / heights),
        "formats": dict(Counter(filter(None, survey.formats))),
        "modes": dict(Counter(filter(None, survey.modes))),
        "orientations": dict(Counter(map(str, survey.orientations))),
    }


def _range(values: np.ndarray) -> dict[str, float]:
    if not len(values):
        return {}
    return {"min": values.min().item(), "mean": round(float(values.mean()), 3), "max": values.max().item()}


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")
