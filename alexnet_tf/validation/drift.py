"""What a set of images has that the set of a reference schema had not: classes, formats, sizes, proportions."""

# pyright: reportAttributeAccessIssue=false, reportInvalidTypeForm=false
# (tensorflow_metadata's generated modules come without stubs and make their classes when imported)

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from alexnet_tf.errors import some
from alexnet_tf.validation.anomalies import Anomaly, first_places
from alexnet_tf.validation.survey import Survey


def find_drift(
    surveys: Mapping[str, Survey],
    *,
    class_names: Sequence[str],
    schema: schema_pb2.Schema,
    statistics: statistics_pb2.DatasetFeatureStatisticsList | None,
) -> list[Anomaly]:
    """Return what breaks a reference schema: another list of classes is an ERROR, the rest a WARNING.

    Args:
        surveys: By split.
        class_names: One a label.
        schema: Of the reference; `label`, `format`, `mode` have the values that may occur, `width`, `height` and
            `aspect` their range, and a feature's `drift_comparator` how far its shares may move (L-infinity norm).
        statistics: Of the reference; without them no shares are compared.
    """
    features = {feature.name: feature for feature in schema.feature}
    found = _classes(list(features["label"].string_domain.value), class_names) if "label" in features else []
    for split, survey in surveys.items():
        words = _words(survey, class_names)
        for name in ("format", "mode"):
            if name in features and features[name].string_domain.value:
                found += _new_words(split, name, words[name], set(features[name].string_domain.value))
        for name, values in _sizes(survey).items():
            if name in features:
                domain = features[name].float_domain if name == "aspect" else features[name].int_domain
                found += _range(split, name, values, domain.min, domain.max)
        reference = _reference_shares(statistics, split)
        for name, shares in reference.items():
            limit = features[name].drift_comparator.infinity_norm.threshold if name in features else 0.0
            if limit and words[name]:
                found += _moved(split, name, words[name], shares, limit)
    return found


def _classes(expected: list[str], found: Sequence[str]) -> list[Anomaly]:
    if not expected or expected == list(found):
        return []
    new, gone = [n for n in found if n not in expected], [n for n in expected if n not in found]
    parts = [f"{len(names):,} {what} ({some(names)})" for what, names in (("new", new), ("missing", gone)) if names]
    found_instead = " and ".join(parts) or "another order"
    text = f"Expected the {len(expected):,} classes of the reference schema, found {found_instead}."
    way_out = "set validate.reference_schema to null"
    return [Anomaly("other_classes", "", "ERROR", text, "label", way_out=way_out)]


def _words(survey: Survey, class_names: Sequence[str]) -> dict[str, Counter[str]]:
    labels = np.bincount(survey.labels, minlength=len(class_names)).tolist()
    return {
        "label": Counter({name: count for name, count in zip(class_names, labels, strict=False) if count}),
        "format": Counter(filter(None, survey.formats.tolist())),
        "mode": Counter(filter(None, survey.modes.tolist())),
    }


def _new_words(split: str, feature: str, counts: Counter[str], known: set[str]) -> list[Anomaly]:
    new = sorted(set(counts) - known)
    if not new:
        return []
    listed = some([f"{word} ({counts[word]} images)" for word in new])
    text = (
        f"{split}: expected only the {feature}s of the reference schema ({', '.join(sorted(known))}), found {listed}."
    )
    return [Anomaly(f"new_{feature}", split, "WARNING", text, feature)]


def _sizes(survey: Survey) -> dict[str, np.ndarray]:
    """Return width and height in pixels, and width over height, which is 0 where they are not known."""
    aspects = np.zeros(len(survey.widths), np.float32)  # as the schema has them
    np.divide(survey.widths, survey.heights, out=aspects, where=survey.heights > 0, casting="same_kind")
    return {"width": survey.widths, "height": survey.heights, "aspect": aspects}


def _range(split: str, feature: str, values: np.ndarray, low: float, high: float) -> list[Anomaly]:
    """Compare with a range, ends included; without an upper one if that is 0."""
    rows = np.flatnonzero((values > 0) & ((values < low) | ((values > high) if high else False)))
    if not len(rows):
        return []
    expected = f"{low:g} to {high:g}" if high else f"at least {low:g}"
    text = f"{split}: expected images whose {feature} is {expected} as in the reference schema, found "
    text += f"{len(rows):,} of {values[rows].min():g} to {values[rows].max():g}."
    return [Anomaly(f"{feature}_out_of_range", split, "WARNING", text, "size", first_places(split, rows.tolist()))]


def _reference_shares(
    statistics: statistics_pb2.DatasetFeatureStatisticsList | None, split: str
) -> dict[str, dict[str, float]]:
    shares = {}
    for dataset in statistics.datasets if statistics else ():
        for feature in dataset.features if dataset.name == split else ():
            name = feature.path.step[0]
            buckets = feature.string_stats.rank_histogram.buckets
            total = sum(bucket.sample_count for bucket in buckets)
            if name in ("label", "format", "mode") and total:
                shares[name] = {bucket.label: bucket.sample_count / total for bucket in buckets}
    return shares


def _moved(
    split: str, feature: str, counts: Counter[str], reference: Mapping[str, float], limit: float
) -> list[Anomaly]:
    total = counts.total()
    moves = {word: counts[word] / total - reference.get(word, 0.0) for word in {*counts, *reference}}
    word = max(sorted(moves), key=lambda each: abs(moves[each]))
    if abs(moves[word]) <= limit:
        return []
    text = f"{split}: expected {feature} {word} to make up {reference.get(word, 0.0):.3f} of the images as in the "
    text += f"reference statistics, give or take {limit:.3g}, found {counts[word] / total:.3f}."
    return [Anomaly(f"{feature}_drift", split, "WARNING", text, feature)]
