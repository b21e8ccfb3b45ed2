"""A survey as the protos of `tensorflow_metadata`, which TensorFlow Data Validation and Facets read."""

# pyright: reportAttributeAccessIssue=false, reportInvalidTypeForm=false
# (tensorflow_metadata's generated modules come without stubs and make their classes when imported)

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from alexnet_tf.validation.anomalies import Anomaly, Limits
from alexnet_tf.validation.survey import Survey, tally

_BINS = 10
_TOP_VALUES = 20
DRIFT = 0.1
"""How far a share may move before a reference schema warns; to be changed in the copy that is the reference."""


def statistics_proto(
    surveys: Mapping[str, Survey], *, class_names: Sequence[str]
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Return the statistics of every split.

    Features: `image` (encoded sizes), `label` (the class names), and what the images' headers say: `width`,
    `height` in pixels, `aspect` (width over height), `format`, `mode` and `orientation`.
    """
    proto = statistics_pb2.DatasetFeatureStatisticsList()
    for split, survey in surveys.items():
        known = survey.widths > 0
        widths, heights = survey.widths[known], survey.heights[known]
        dataset = proto.datasets.add(name=split, num_examples=len(survey.keys))
        image = _feature(dataset, "image", "BYTES")
        image.bytes_stats.CopyFrom(_bytes_statistics(survey))
        image.custom_stats.add(name="num_corrupt", num=int(np.sum(~survey.decodable)))
        for name, values in (("width", widths), ("height", heights), ("aspect", widths / heights)):
            kind = "FLOAT" if name == "aspect" else "INT"
            _feature(dataset, name, kind).num_stats.CopyFrom(_numeric_statistics(values, len(survey.keys)))
        words = {
            "label": Counter({class_names[int(label)]: count for label, count in tally(survey.labels).items()}),
            "format": tally(survey.formats),
            "mode": tally(survey.modes),
            "orientation": tally(survey.orientations),
        }
        for name, counts in words.items():
            _feature(dataset, name, "STRING").string_stats.CopyFrom(_word_statistics(counts, len(survey.keys)))
    return proto


def schema_proto(surveys: Mapping[str, Survey], *, class_names: Sequence[str], limits: Limits) -> schema_pb2.Schema:
    """Return what a good set looks like: every example is one decodable image of a known class.

    Formats and modes are those that were found; a copy of the schema then is the reference for later sets.
    """
    schema = schema_pb2.Schema()
    image = _required(schema, "image", schema_pb2.BYTES)
    image.image_domain.minimum_supported_image_fraction = 1 - limits.max_corrupt_share
    label = _required(schema, "label", schema_pb2.BYTES)
    label.string_domain.name = "label"
    label.string_domain.value.extend(class_names)
    label.drift_comparator.infinity_norm.threshold = DRIFT
    for name in ("format", "mode"):
        words = {word for survey in surveys.values() for word in tally(getattr(survey, f"{name}s"))}
        feature = _required(schema, name, schema_pb2.BYTES)
        feature.string_domain.name = name
        feature.string_domain.value.extend(sorted(words))
        feature.drift_comparator.infinity_norm.threshold = DRIFT
    for name in ("width", "height"):
        _required(schema, name, schema_pb2.INT).int_domain.min = limits.min_side_px
    aspect = _required(schema, "aspect", schema_pb2.FLOAT).float_domain
    aspect.min, aspect.max = 1 / limits.max_aspect, limits.max_aspect
    return schema


def parse_schema(text: str) -> schema_pb2.Schema:
    """Parse a schema that `schema_proto` or a person wrote; raises `text_format.ParseError`."""
    return text_format.Parse(text, schema_pb2.Schema())


def parse_statistics(content: bytes) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Parse statistics that `statistics_proto` made; raises `google.protobuf.message.DecodeError`."""
    return statistics_pb2.DatasetFeatureStatisticsList.FromString(content)


def anomalies_proto(anomalies: Sequence[Anomaly], *, schema: schema_pb2.Schema) -> anomalies_pb2.Anomalies:
    """Return the findings, one entry a name and split, against the schema."""
    proto = anomalies_pb2.Anomalies(baseline=schema)
    for anomaly in anomalies:
        info = proto.anomaly_info["/".join(filter(None, (anomaly.feature, anomaly.name, anomaly.split)))]
        info.path.step.append(anomaly.feature)
        info.severity = anomalies_pb2.AnomalyInfo.Severity.Value(anomaly.severity)
        info.short_description = anomaly.name.replace("_", " ")
        info.description = anomaly.description
        info.reason.add(
            type=anomalies_pb2.AnomalyInfo.CUSTOM_VALIDATION,
            short_description=info.short_description,
            description=anomaly.description,
        )
    return proto


def _required(schema: schema_pb2.Schema, name: str, kind: schema_pb2.FeatureType) -> schema_pb2.Feature:
    feature = schema.feature.add(name=name, type=kind)
    feature.presence.min_fraction = 1.0
    feature.shape.SetInParent()
    return feature


def _feature(dataset, name: str, kind: str) -> statistics_pb2.FeatureNameStatistics:
    feature = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.Type.Value(kind))
    feature.path.step.append(name)
    return feature


def _common(present: int, examples: int) -> statistics_pb2.CommonStatistics:
    return statistics_pb2.CommonStatistics(
        num_non_missing=present,
        num_missing=examples - present,
        min_num_values=1,
        max_num_values=1,
        avg_num_values=1,
        tot_num_values=present,
    )


def _bytes_statistics(survey: Survey) -> statistics_pb2.BytesStatistics:
    statistics = statistics_pb2.BytesStatistics(
        common_stats=_common(len(survey.keys), len(survey.keys)), unique=len(np.unique(survey.digests))
    )
    if len(survey.keys):
        statistics.avg_num_bytes = float(survey.num_bytes.mean())
        statistics.min_num_bytes = float(survey.num_bytes.min())
        statistics.max_num_bytes = float(survey.num_bytes.max())
        statistics.max_num_bytes_int = int(survey.num_bytes.max())
    return statistics


def _numeric_statistics(values: np.ndarray, examples: int) -> statistics_pb2.NumericStatistics:
    statistics = statistics_pb2.NumericStatistics(common_stats=_common(len(values), examples))
    if len(values):
        statistics.mean, statistics.std_dev = float(values.mean()), float(values.std())
        statistics.min, statistics.max = float(values.min()), float(values.max())
        statistics.median = float(np.median(values))
        counts, edges = np.histogram(values, _BINS)
        histogram = statistics.histograms.add(type=statistics_pb2.Histogram.STANDARD)
        for count, low, high in zip(counts.tolist(), edges.tolist(), edges.tolist()[1:], strict=False):
            histogram.buckets.add(low_value=low, high_value=high, sample_count=count)
    return statistics


def _word_statistics(counts: Counter[str], examples: int) -> statistics_pb2.StringStatistics:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    present = counts.total()
    statistics = statistics_pb2.StringStatistics(common_stats=_common(present, examples), unique=len(ranked))
    if ranked:
        statistics.avg_length = sum(len(word) * count for word, count in ranked) / present
    for word, count in ranked[:_TOP_VALUES]:
        statistics.top_values.add(value=word, frequency=count)
    for rank, (word, count) in enumerate(ranked):
        statistics.rank_histogram.buckets.add(low_rank=rank, high_rank=rank, label=word, sample_count=count)
    return statistics
