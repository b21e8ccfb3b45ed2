"""Look at every raw image before anything is made of it.

Reads: `dataset` as the stage `download` writes it; `schemas/NAME.pbtxt`, and `NAME.statistics.pb` if it is there,
where `reference_schema` names one.

Writes:
    report/validation.json   per split: counts, classes, sizes, formats, modes, EXIF orientations, corrupt
                             images; copies; unreadable and ignored files; anomalies; verdict
    report/validation.html   the same for the eye, with thumbnails of what is odd
    report/statistics.pb     tensorflow_metadata DatasetFeatureStatisticsList, binary
    report/schema.pbtxt      tensorflow_metadata Schema
    report/anomalies.pbtxt   tensorflow_metadata Anomalies
    verdict                  {"verdict": "pass" | "warn"}

Guarantees: every image was decoded once, on Beam, shard by shard; equal data sets give equal files on any
runner. Exact copies are found by their bytes, near copies by a perceptual hash, within a split and across splits.

Fails when: an anomaly is an ERROR, or a shard is other than its manifest says. There is no report then; after an ERROR
the page is next to its place, as validation-failed.html, and the report goes to the tracker.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from google.protobuf import text_format
from google.protobuf.message import DecodeError
from pydantic import Field, PositiveInt

from alexnet_tf.data.record_dataset import read_manifest
from alexnet_tf.data.tfrecord import decode_example, read_record
from alexnet_tf.errors import DataError
from alexnet_tf.validation.anomalies import Anomaly, Limits, Place, find_anomalies, worst_first
from alexnet_tf.validation.copies import exact_copies, find_copies
from alexnet_tf.validation.drift import find_drift
from alexnet_tf.validation.metadata_protos import (
    anomalies_proto,
    parse_schema,
    parse_statistics,
    schema_proto,
    statistics_proto,
)
from alexnet_tf.validation.report import as_findings, oddities, page, validation_report
from alexnet_tf.validation.survey import Survey, load_surveys
from alexnet_tf.whole_file import write_json, write_whole
from components.beam.run import run_shards
from components.interfaces import Runtime, StageParams
from components.validate_shards import SurveyTask, survey_shard

_ERRORS_SHOWN = 3


@dataclass(frozen=True)
class Inputs:
    """The folder `dataset` that `download` writes, and the folder of reference schemas."""

    dataset: Path
    schemas: Path


@dataclass(frozen=True)
class Outputs:
    """The folder `report` and the file `verdict` of the module's docstring."""

    report: Path
    verdict: Path


class Params(StageParams):
    """What is accepted; `alexnet_tf.validation.anomalies.Limits` says what each does.

    Attributes:
        reference_schema: The NAME of `schemas/NAME.pbtxt`, which the set is compared with; null compares with none.
        max_pixels: A larger image counts as one that cannot be decoded, as it does in the stage preprocess.
    """

    max_corrupt_share: float = Field(ge=0, le=1)
    max_class_imbalance: float = Field(ge=1)
    allow_split_leakage: bool
    near_copy_bits: Annotated[int, Field(ge=0, le=16)] | None
    allow_near_leakage: bool
    reference_schema: Annotated[str, Field(pattern=r"^[\w-]+$")] | None
    min_side_px: int = Field(ge=1)
    max_aspect: float = Field(ge=1)
    max_pixels: PositiveInt


def run(inputs: Inputs, outputs: Outputs, params: Params, runtime: Runtime) -> str:
    """Carry out the stage; see the module's docstring."""
    manifest = read_manifest(inputs.dataset, stage="download")
    class_names = manifest["class_names"]
    outputs.report.mkdir()
    failed = outputs.report.with_name("validation-failed.html")
    failed.unlink(missing_ok=True)  # of an earlier run
    surveys = _survey(inputs.dataset, manifest, outputs.report, params.max_pixels, runtime)
    limits = Limits(**params.model_dump(exclude={"reference_schema", "max_pixels"}))
    copies = exact_copies(surveys)
    anomalies = find_anomalies(surveys, class_names=class_names, limits=limits)
    anomalies += find_copies(surveys, copies, limits=limits)
    if params.reference_schema:
        reference = _reference(inputs.schemas, params.reference_schema)
        anomalies += find_drift(surveys, class_names=class_names, schema=reference[0], statistics=reference[1])
    anomalies = worst_first(anomalies)
    errors = [anomaly for anomaly in anomalies if anomaly.severity == "ERROR"]
    verdict = "fail" if errors else "warn" if anomalies else "pass"

    report = validation_report(surveys, class_names, anomalies, copies) | {"verdict": verdict}
    report |= {name: manifest[name] for name in ("unreadable", "ignored")}
    write_json(outputs.report / "validation.json", report)
    html = page(
        report, [*as_findings(anomalies), *oddities(surveys)], surveys, _reader(inputs.dataset, manifest, surveys)
    )
    (outputs.report / "validation.html").write_text(html, encoding="utf-8")
    statistics = statistics_proto(surveys, class_names=class_names)
    schema = schema_proto(surveys, class_names=class_names, limits=limits)
    (outputs.report / "statistics.pb").write_bytes(statistics.SerializeToString(deterministic=True))
    (outputs.report / "schema.pbtxt").write_text(text_format.MessageToString(schema), encoding="utf-8")
    findings = anomalies_proto(anomalies, schema=schema)
    (outputs.report / "anomalies.pbtxt").write_text(text_format.MessageToString(findings), encoding="utf-8")
    runtime.tracker.metrics({"anomalies": len(anomalies), "errors": len(errors)})
    if errors:
        for path in sorted(outputs.report.iterdir()):
            runtime.tracker.artifact(path, folder="validation")
        write_whole(failed, html)
        raise DataError(_unfit(errors, f"{failed.parent.name}/{failed.name}"))
    write_json(outputs.verdict, {"verdict": verdict})
    return _found(report, planted=manifest["source"] == "sample")


def _unfit(errors: Sequence[Anomaly], page: str) -> str:
    described = " ".join(error.description for error in errors[:_ERRORS_SHOWN])
    more = f" And {len(errors) - _ERRORS_SHOWN} more errors." if len(errors) > _ERRORS_SHOWN else ""
    ways_out = list(dict.fromkeys(error.way_out for error in errors))
    mend = "Correct the source and run `dvc repro -f download`"
    mend += f", or {' and '.join(ways_out)}" if all(ways_out) else ""
    return f"The data set is not fit for training: {described}{more} {page} shows the images. {mend}."


def _found(report: Mapping[str, Any], *, planted: bool) -> str:
    """Say what a report that holds no error found; of a `planted` set the corrupt files belong to it."""
    splits = report["splits"].values()
    corrupt, warnings = sum(split["num_corrupt"] for split in splits), len(report["anomalies"])
    text = f"{sum(split['num_examples'] for split in splits):,} images, {corrupt:,} corrupt"
    text += " (the generated sample holds it on purpose)" * (planted and corrupt > 0)
    text += f", {report['num_copied_images']:,} copied; no errors, {warnings} warning{'s' * (warnings != 1)}"
    return text + "; reports/validate/validation.html shows them" * (warnings > 0)


def _survey(
    dataset: Path, manifest: Mapping[str, Any], report: Path, max_pixels: int, runtime: Runtime
) -> dict[str, Survey]:
    scratch = report / "scratch"
    scratch.mkdir()
    tasks: dict[str, list[SurveyTask]] = {}
    for split, content in sorted(manifest["splits"].items()):
        tasks[split] = [
            SurveyTask(
                shard=str(dataset / shard["file"]),
                num_examples=shard["num_examples"],
                sha256=shard["sha256"],
                survey=str(scratch / f"{split}-{number}.npz"),
                max_pixels=max_pixels,
            )
            for number, shard in enumerate(content["shards"])
        ]
    listed = [task for of_split in tasks.values() for task in of_split]
    run_shards(survey_shard, listed, runtime=runtime, scratch=scratch, description="validate")
    surveys = {split: load_surveys(Path(task.survey) for task in of_split) for split, of_split in tasks.items()}
    shutil.rmtree(scratch)
    return surveys


def _reader(dataset: Path, manifest: Mapping[str, Any], surveys: Mapping[str, Survey]) -> Callable[[Place], bytes]:
    """Return what reads the encoded bytes of one image."""

    def read(place: Place) -> bytes:
        split, row = place
        path = dataset / manifest["splits"][split]["shards"][int(surveys[split].shards[row])]["file"]
        content = decode_example(read_record(path, int(surveys[split].offsets[row])))["image"]
        return content if isinstance(content, bytes) else b""

    return read


def _reference(folder: Path, name: str) -> tuple[Any, Any]:
    """Read a reference schema and, where there are some, its statistics.

    Raises:
        DataError: When the schema is missing or no text proto.
    """
    path = folder / f"{name}.pbtxt"
    try:
        schema = parse_schema(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(
            f"{path}: expected a reference schema, found none; copy reports/validate/schema.pbtxt of a good set to it "
            f"or set validate.reference_schema to null."
        ) from error
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected a tensorflow_metadata Schema as text ({error}).") from error
    statistics = folder / f"{name}.statistics.pb"
    if not statistics.is_file():
        return schema, None
    try:
        return schema, parse_statistics(statistics.read_bytes())
    except DecodeError as error:
        raise DataError(f"{statistics}: expected a DatasetFeatureStatisticsList ({error}).") from error
