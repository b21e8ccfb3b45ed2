from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from alexnet_tf.errors import DataError
from tests.alexnet_tf.validation.test_copies import photo
from tests.components.test_validate import healthy, names, png, run


def reference(tmp_path: Path, splits) -> Path:
    """Make a run's schema and statistics the reference called good."""
    run(tmp_path, splits, name="good")
    folder = tmp_path / "schemas"
    folder.mkdir()
    (folder / "good.pbtxt").write_bytes((tmp_path / "good" / "schema.pbtxt").read_bytes())
    (folder / "good.statistics.pb").write_bytes((tmp_path / "good" / "statistics.pb").read_bytes())
    return folder


def test_the_same_set_has_no_drift(tmp_path):
    reference(tmp_path, healthy())
    assert run(tmp_path, healthy(), reference_schema="good")["verdict"] == "pass"


def test_new_formats_modes_and_shares_are_drift(tmp_path):
    reference(tmp_path, healthy())
    splits = healthy()
    splits["train"][:5] = [(0, photo(row)) for row in range(5)]  # JPEG: a quarter; cats 13, dogs 7 of 20
    splits["test"][0] = (0, png(300, mode="RGBA"))
    report = run(tmp_path, splits, reference_schema="good")
    assert names(report) == [
        ("WARNING", "format_drift", "train"),
        ("WARNING", "mode_drift", "test"),
        ("WARNING", "new_format", "train"),
        ("WARNING", "new_mode", "test"),
    ]
    assert "expected format JPEG to make up 0.000 of the images" in report["anomalies"][0]["description"]
    assert "found RGBA (1 images)" in report["anomalies"][3]["description"]


def test_other_classes_than_the_references_are_an_error(tmp_path):
    folder = reference(tmp_path, healthy())
    path = folder / "good.pbtxt"
    path.write_text(path.read_text().replace('"dog"', '"wolf"'))
    with pytest.raises(DataError, match=r"found 1 new \(dog\) and 1 missing \(wolf\)"):
        run(tmp_path, healthy(), reference_schema="good")


def test_the_references_classes_in_another_order_are_an_error(tmp_path):
    folder = reference(tmp_path, healthy())
    path = folder / "good.pbtxt"
    path.write_text(path.read_text().replace('"cat"', '"?"').replace('"dog"', '"cat"').replace('"?"', '"dog"'))
    with pytest.raises(DataError, match="Expected the 2 classes of the reference schema, found another order"):
        run(tmp_path, healthy(), reference_schema="good")


@pytest.mark.parametrize(("cats", "found"), [(12, []), (14, [("WARNING", "label_drift", "train")])])
def test_classes_whose_shares_moved_by_more_than_a_tenth_are_drift(tmp_path, cats, found):
    reference(tmp_path, healthy())
    splits = healthy()
    splits["train"] = [(int(row >= cats), content) for row, (_, content) in enumerate(splits["train"])]
    report = run(tmp_path, splits, reference_schema="good")
    assert names(report) == found
    if found:
        description = report["anomalies"][0]["description"]
        assert description.startswith("train: expected label dog to make up 0.500 of the images as in the reference")
        assert description.endswith("statistics, give or take 0.1, found 0.300.")


@pytest.mark.parametrize(
    ("feature", "limit", "expected"),
    [
        ("width", "int_domain { min: 8 max: 18 }", "8 to 18 as in the reference schema, found 20 of 20 to 20"),
        ("height", "int_domain { min: 11 }", "at least 11 as in the reference schema, found 20 of 10 to 10"),
        ("aspect", "float_domain { min: 0.05 max: 1.5 }", "0.05 to 1.5 as in the reference schema, found 20 of 2 to 2"),
        ("aspect", "float_domain { min: 0.05 max: 2.0 }", None),
        ("width", "int_domain { min: 20 max: 20 }", None),
    ],
)
def test_sizes_out_of_the_references_range_are_warnings(tmp_path, feature, limit, expected):
    path = reference(tmp_path, healthy()) / "good.pbtxt"
    schema = text_format.Parse(path.read_text(), schema_pb2.Schema())
    (found,) = [each for each in schema.feature if each.name == feature]
    text_format.Merge(limit, found)
    path.write_text(text_format.MessageToString(schema))
    report = run(tmp_path, healthy(), reference_schema="good")
    splits = ("test", "train", "validation") if expected else ()
    assert names(report) == [("WARNING", f"{feature}_out_of_range", split) for split in splits]
    if expected:
        text = f"train: expected images whose {feature} is {expected}."
        assert report["anomalies"][1]["description"] == text


def test_a_reference_without_statistics_compares_no_shares(tmp_path):
    folder = reference(tmp_path, healthy())
    (folder / "good.statistics.pb").unlink()
    splits = healthy()
    splits["train"] = [(int(row >= 14), content) for row, (_, content) in enumerate(splits["train"])]
    assert run(tmp_path, splits, reference_schema="good")["verdict"] == "pass"


def test_a_reference_that_is_missing_or_broken_is_named(tmp_path):
    folder = reference(tmp_path, healthy())
    with pytest.raises(DataError, match=r"other\.pbtxt: expected a reference schema, found none; copy reports"):
        run(tmp_path, healthy(), reference_schema="other", name="a")
    (folder / "good.statistics.pb").write_bytes(b"\xff\xff")
    with pytest.raises(DataError, match=r"good\.statistics\.pb: expected a DatasetFeatureStatisticsList"):
        run(tmp_path, healthy(), reference_schema="good", name="b")
    (folder / "good.pbtxt").write_text("nonsense {")
    with pytest.raises(DataError, match=r"good\.pbtxt: expected a tensorflow_metadata Schema"):
        run(tmp_path, healthy(), reference_schema="good", name="c")
