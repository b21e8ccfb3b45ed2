"""What differs between variants: their parameters, and what that did to the test errors."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from alexnet_tf.dotted_keys import flatten
from alexnet_tf.errors import DataError
from alexnet_tf.metrics.correctness import named_images, same_images
from alexnet_tf.metrics.significance import paired_difference, wilson_interval
from alexnet_tf.metrics.top_k import VIEWS

ERRORS = ("top1_error", "top5_error")


@dataclass(frozen=True)
class Evaluation:
    """One variant on the test split.

    Attributes:
        num_examples: Images in the split.
        keys_sha256: Names the set of images: sha256 of their sorted keys. None where the errors alone are known, as of
            a past run whose reports are gone; such a variant has no `correct` and is not tested image by image.
        metrics: View -> metric -> value, errors as fractions.
        correct: `center_top1` and so on -> (N,) bool in the order of the sorted keys.
        per_class: Class name -> (images, ten-crop top-1 error or None without images).
        slices: Rows of slices.csv: `quantity`, `low`, `high` (None: no bound), `num_examples`, `top1_error`.
        gallery: What the pictures show, as gallery.json has it; empty where the errors alone are known.
        source_digest: Names the contents of the images; None where they are not known.
    """

    num_examples: int
    keys_sha256: str | None
    metrics: Mapping[str, Mapping[str, float]]
    correct: Mapping[str, np.ndarray]
    per_class: Mapping[str, tuple[int, float | None]]
    slices: Sequence[Mapping[str, Any]] = ()
    gallery: Mapping[str, Any] = field(default_factory=dict)
    source_digest: str | None = None


@dataclass(frozen=True)
class TrainingReport:
    """How one variant learned.

    Attributes:
        metrics: The final numbers.
        history: Column -> one value an epoch, None where nothing was measured.
    """

    metrics: Mapping[str, Any]
    history: Mapping[str, Sequence[float | None]]


def compare(
    evaluations: Mapping[str, Evaluation],
    trainings: Mapping[str, TrainingReport],
    variants: Mapping[str, Mapping[str, Any]],
    *,
    baseline: str,
    confidence: float,
    bootstrap_samples: int,
    against: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Put variants side by side, and each but the baseline against the baseline, image by image where that is known.

    Args:
        evaluations: By variant.
        trainings: By variant.
        variants: By variant, its parameters; their order is the order of the comparison.
        baseline: The variant that the others are compared with.
        confidence: Of every interval, in (0, 1).
        bootstrap_samples: Samples behind the intervals of the paired differences.
        against: Variant -> the variant that it is compared with in place of the baseline.

    Returns:
        Plain values for JSON: `baseline`, `confidence`, `bootstrap_samples`, `num_examples`, `keys_sha256`,
        `variants` (names in order), `against` (variant -> what it is compared with), `towers`, `errors`, `paired`,
        `training`, `curves`, `knobs`, `per_class`, `slices`, `gallery`.

    Raises:
        DataError: Two variants were tested on different images.
    """
    names = list(variants)
    require_same_images(evaluations)
    reference = evaluations[baseline]
    compared = {name: (against or {}).get(name, baseline) for name in names if name != baseline}
    return {
        "baseline": baseline,
        "confidence": confidence,
        "bootstrap_samples": bootstrap_samples,
        "num_examples": reference.num_examples,
        "keys_sha256": reference.keys_sha256,
        "variants": names,
        "against": compared,
        "towers": {name: variants[name].get("network", {}).get("towers", 1) for name in names},
        "errors": {name: _errors(evaluations[name], confidence) for name in names},
        "paired": {
            name: _paired(evaluations[other], evaluations[name], confidence, bootstrap_samples)
            for name, other in compared.items()
            if evaluations[other].correct and evaluations[name].correct
        },
        "training": {name: dict(trainings[name].metrics) for name in names},
        "curves": {
            name: {column: list(values) for column, values in trainings[name].history.items()} for name in names
        },
        "knobs": differing_parameters(variants),
        "per_class": [
            {
                "class": label,
                "num_examples": num,
                "errors": {name: evaluations[name].per_class.get(label, (0, None))[1] for name in names},
            }
            for label, (num, _) in reference.per_class.items()
        ],
        "slices": _slices(evaluations, names),
        "gallery": {name: dict(evaluations[name].gallery) for name in names},
    }


def require_same_images(evaluations: Mapping[str, Evaluation]) -> None:
    """Raise a DataError when two evaluations cover different images or name different classes.

    Where the errors alone are known, the number of images has to do.
    """
    first = next((each for each in evaluations.items() if each[1].keys_sha256), next(iter(evaluations.items())))
    for name, evaluation in evaluations.items():
        if not same_images(evaluation, first[1]):
            raise DataError(
                f"{first[0]} and {name} were tested on different images ({named_images(first[1])} and"
                f" {named_images(evaluation)}): evaluate both on the same data set, then compare again."
            )
        if evaluation.keys_sha256 is not None and list(evaluation.per_class) != list(first[1].per_class):
            raise DataError(
                f"{first[0]} and {name} name different classes: evaluate both on the same data set, then compare again."
            )


def headline_metrics(comparison: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return a few numbers for each variant, errors and differences from the baseline."""
    numbers: dict[str, dict[str, float]] = {}
    for name in comparison["variants"]:
        views = comparison["errors"][name]
        numbers[name] = {
            f"{view}_{error}": views[view][error]["value"] for view in VIEWS for error in ERRORS if error in views[view]
        }
        if name in comparison["paired"]:
            paired = comparison["paired"][name]["ten_crop"]["top1_error"]
            numbers[name]["ten_crop_top1_error_difference"] = paired["difference"]
            numbers[name]["ten_crop_top1_error_p_value"] = paired["p_value"]
    return numbers


def _errors(evaluation: Evaluation, confidence: float) -> dict[str, Any]:
    views: dict[str, Any] = {}
    for view in VIEWS:
        metrics = evaluation.metrics[view]
        views[view] = {key: metrics[key] for key in ("mean_loss", "calibration_error") if key in metrics}
        for error in ERRORS:
            if error in metrics:
                low, high = wilson_interval(metrics[error], evaluation.num_examples, confidence=confidence)
                views[view][error] = {"value": metrics[error], "low": low, "high": high}
    return views


def _paired(baseline: Evaluation, model: Evaluation, confidence: float, num_samples: int) -> dict[str, Any]:
    views: dict[str, Any] = {view: {} for view in VIEWS}
    for view in VIEWS:
        for error in ERRORS:
            bits = f"{view}_{error.removesuffix('_error')}"
            if bits in baseline.correct and bits in model.correct:
                views[view][error] = asdict(
                    paired_difference(
                        baseline=baseline.correct[bits],
                        model=model.correct[bits],
                        confidence=confidence,
                        num_samples=num_samples,
                    )
                )
    return views


def _slices(evaluations: Mapping[str, Evaluation], names: Sequence[str]) -> list[dict[str, Any]]:
    """Line the variants' slices up by their bounds; brightness depends on the stored size, so counts may differ."""
    lined: dict[tuple[Any, ...], dict[str, Any]] = {}
    for name in names:
        for each in evaluations[name].slices:
            place = tuple(each[key] for key in ("quantity", "low", "high"))
            entry = lined.setdefault(place, dict(zip(("quantity", "low", "high"), place, strict=True)) | {"errors": {}})
            entry["errors"][name] = {"value": each["top1_error"], "num_examples": each["num_examples"]}
    quantities = list(dict.fromkeys(place[0] for place in lined))
    return [lined[place] for place in sorted(lined, key=lambda place: (quantities.index(place[0]), place[1]))]


def differing_parameters(variants: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """List the parameters that are not the same everywhere, in their order of appearance.

    Returns:
        `key` (dotted) and `values`: variant -> value, without the variants that have no such parameter.
    """
    flat = {name: flatten(parameters) for name, parameters in variants.items()}
    keys = dict.fromkeys(key for parameters in flat.values() for key in parameters)
    differing = []
    for key in keys:
        values = {name: parameters[key] for name, parameters in flat.items() if key in parameters}
        if len(values) < len(flat) or any(value != next(iter(values.values())) for value in values.values()):
            differing.append({"key": key, "values": values})
    return differing
