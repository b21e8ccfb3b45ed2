from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from tests.components.test_validate import healthy, run


def test_protos_say_what_the_report_says(tmp_path):
    splits = healthy()
    splits["train"][3] = (1, b"<html>")
    run(tmp_path, splits)
    statistics = statistics_pb2.DatasetFeatureStatisticsList.FromString(
        (tmp_path / "out" / "statistics.pb").read_bytes()
    )
    by_split = {dataset.name: dataset for dataset in statistics.datasets}
    assert {name: dataset.num_examples for name, dataset in by_split.items()} == {
        "train": 20,
        "validation": 4,
        "test": 4,
    }
    features = {feature.path.step[0]: feature for feature in by_split["train"].features}
    assert features["width"].num_stats.mean == 20
    assert features["width"].num_stats.common_stats.num_missing == 1
    assert sum(bucket.sample_count for bucket in features["width"].num_stats.histograms[0].buckets) == 19
    assert {top.value: top.frequency for top in features["label"].string_stats.top_values} == {
        "cat": 10,
        "dog": 10,
    }
    assert features["image"].custom_stats[0].num == 1
    schema = text_format.Parse((tmp_path / "out" / "schema.pbtxt").read_text(), schema_pb2.Schema())
    label = next(feature for feature in schema.feature if feature.name == "label")
    assert list(label.string_domain.value) == ["cat", "dog"]
    anomalies = text_format.Parse((tmp_path / "out" / "anomalies.pbtxt").read_text(), anomalies_pb2.Anomalies())
    (info,) = anomalies.anomaly_info.values()
    assert info.severity == anomalies_pb2.AnomalyInfo.WARNING
    assert "train/3 (no known image format)" in info.description
