"""A survey as a report that JSON can hold."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alexnet_tf.validation.anomalies import Anomaly
from alexnet_tf.validation.survey import Survey, copies, tally

_LISTED = 100


def validation_report(
    surveys: Mapping[str, Survey], class_names: Sequence[str], anomalies: Sequence[Anomaly]
) -> dict[str, Any]:
    """Return what validation.json says: counts, ranges and words of each split, copies, anomalies."""
    groups = [[surveys[split].keys[row] for split, row in group] for group in copies(surveys)]
    return {
        "splits": {split: _split_report(survey, class_names) for split, survey in surveys.items()},
        "num_copied_images": len(groups),
        "copies": groups[:_LISTED],
        "anomalies": [
            {name: getattr(anomaly, name) for name in ("name", "split", "severity", "description", "feature")}
            for anomaly in anomalies
        ],
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
        "formats": dict(tally(survey.formats)),
        "modes": dict(tally(survey.modes)),
        "orientations": dict(tally(survey.orientations)),
    }


def _range(values: np.ndarray) -> dict[str, float]:
    if not len(values):
        return {}
    return {"min": values.min().item(), "mean": round(float(values.mean()), 3), "max": values.max().item()}
