import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from alexnet_tf.data.tfrecord import encode_example
from alexnet_tf.errors import DataError
from components import validate
from components.interfaces import BeamRuntime, Runtime, SilentTracker
from components.sources.shards import SplitWriter

LIMITS = {
    "max_corrupt_share": 0.1,
    "max_class_imbalance": 3.0,
    "allow_split_leakage": False,
    "near_copy_bits": None,
    "allow_near_leakage": False,
    "reference_schema": None,
    "min_side_px": 8,
    "max_aspect": 4.0,
}


def png(value: int, size=(20, 10), mode="RGB") -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(value).integers(0, 256, (size[1], size[0], len(mode)), np.uint8)
    Image.fromarray(pixels.squeeze(), mode).save(file, "PNG")
    return file.getvalue()


def jpeg(value: int, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.new("RGB", (12, 9), (value, 0, 0)).save(file, "JPEG", exif=exif)
    return file.getvalue()


def healthy() -> dict[str, list[tuple[int, bytes]]]:
    """Two classes, 20 + 4 + 4 images, all good."""
    return {
        "train": [(row % 2, png(row)) for row in range(20)],
        "validation": [(row % 2, png(100 + row)) for row in range(4)],
        "test": [(row % 2, png(200 + row, mode="L")) for row in range(4)],
    }


def write(folder: Path, splits: dict[str, list[tuple[int, bytes]]]) -> Path:
    folder.mkdir()
    manifest = {"source": "test", "class_names": ["cat", "dog"], "splits": {}}
    for split, rows in splits.items():
        writer = SplitWriter(folder, split)
        for number, (label, content) in enumerate(rows):
            writer.write(encode_example({"image": content, "label": label, "key": f"{split}/{number}"}))
        shards = [vars(shard) for shard in writer.close()]
        manifest["splits"][split] = {"num_examples": len(rows), "shards": shards}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def run(tmp_path: Path, splits, runtime=None, name="out", **changes) -> dict:
    """Run the stage and return its report; also when it fails."""
    dataset = tmp_path / f"dataset-{name}"
    if not dataset.exists():
        write(dataset, splits)
    outputs = validate.Outputs(tmp_path / name, tmp_path / f"{name}.json")
    params = validate.Params.model_validate(LIMITS | changes)
    validate.run(validate.Inputs(dataset, tmp_path / "schemas"), outputs, params, runtime or Runtime())
    report = json.loads((outputs.report / "validation.json").read_text())
    assert json.loads(outputs.verdict.read_text()) == {"verdict": report["verdict"]}
    return report


def names(report: dict) -> list[tuple[str, str, str]]:
    return [(anomaly["severity"], anomaly["name"], anomaly["split"]) for anomaly in report["anomalies"]]


def test_a_healthy_set_passes_and_is_counted(tmp_path):
    splits = healthy()
    splits["train"][0] = (0, jpeg(1, orientation=6))
    report = run(tmp_path, splits)
    assert (report["verdict"], report["anomalies"], report["copies"]) == ("pass", [], [])
    train = report["splits"]["train"]
    assert train["num_examples"] == 20
    assert train["classes"] == {"cat": 10, "dog": 10}
    assert train["formats"] == {"JPEG": 1, "PNG": 19}
    assert train["orientations"] == {"0": 19, "6": 1}
    assert train["width"] == {"min": 12, "mean": (12 + 19 * 20) / 20, "max": 20}
    assert report["splits"]["test"]["modes"] == {"L": 4}


def test_a_few_corrupt_images_are_a_warning_and_many_an_error(tmp_path):
    splits = healthy()
    splits["train"][3] = (1, png(3)[:-40])
    splits["train"][4] = (0, b"")
    report = run(tmp_path, splits)
    assert report["verdict"] == "warn"
    assert names(report) == [("WARNING", "corrupt_images", "train")]
    assert [entry["key"] for entry in report["splits"]["train"]["corrupt"]] == ["train/3", "train/4"]
    with pytest.raises(DataError, match=r"2 of 20 images cannot be decoded.*train/3.*empty file"):
        run(tmp_path, splits, max_corrupt_share=0.09, name="strict")


@pytest.mark.parametrize(
    ("source", "words"), [("sample", "1 corrupt (the generated sample holds it on purpose)"), ("tfds:x", "1 corrupt")]
)
def test_it_says_what_it_found_and_that_the_sample_has_a_corrupt_file_on_purpose(tmp_path, source, words):
    splits = healthy()
    splits["train"][3] = (1, png(3)[:-40])
    dataset = write(tmp_path / "dataset", splits)
    manifest = json.loads((dataset / "manifest.json").read_text())
    (dataset / "manifest.json").write_text(json.dumps(manifest | {"source": source}))
    outputs = validate.Outputs(tmp_path / "report", tmp_path / "verdict.json")
    inputs, params = validate.Inputs(dataset, tmp_path / "schemas"), validate.Params.model_validate(LIMITS)
    assert validate.run(inputs, outputs, params, Runtime()) == (
        f"{sum(map(len, splits.values()))} images, {words}, 0 copied; no errors, 1 warning; "
        "reports/validate/validation.html shows them"
    )


def test_an_error_goes_to_the_tracker_and_leaves_no_verdict(tmp_path):
    class Tracker(SilentTracker):
        kept: list[str]

        def artifact(self, path, *, folder=""):
            self.kept = sorted(file.name for file in path.iterdir())

    splits, tracker = healthy(), Tracker()
    splits["train"][0] = (0, png(0, size=(7, 20)))
    with pytest.raises(DataError, match=r"a side under 8 pixels: train/0 \(7 x 20\)"):
        run(tmp_path, splits, Runtime(tracker=tracker))
    assert tracker.kept == ["anomalies.pbtxt", "schema.pbtxt", "statistics.pb", "validation.html", "validation.json"]
    assert not (tmp_path / "out.json").exists()


def test_the_same_bytes_in_two_splits_are_an_error_unless_allowed(tmp_path):
    splits = healthy()
    splits["test"][1] = splits["train"][1]
    with pytest.raises(DataError, match="more than one split, by the same bytes: test/1 = train/1"):
        run(tmp_path, splits)
    report = run(tmp_path, splits, allow_split_leakage=True, name="allowed")
    assert names(report) == [("WARNING", "split_leakage", "")]
    assert report["copies"] == [["test/1", "train/1"]]


def test_copies_within_a_split_and_contradictory_labels_are_warnings(tmp_path):
    splits = healthy()
    splits["train"][2] = (0, splits["train"][0][1])
    splits["validation"][1] = (1, splits["validation"][0][1])
    report = run(tmp_path, splits)
    assert names(report) == [
        ("WARNING", "contradictory_labels", ""),
        ("WARNING", "copies", "train"),
        ("WARNING", "copies", "validation"),
    ]
    assert report["num_copied_images"] == 2


def test_classes_out_of_balance_and_strips_are_warnings(tmp_path):
    splits = healthy()
    splits["train"] = [(0, png(row)) for row in range(7)] + [(1, png(50)), (1, png(51, size=(41, 10)))]
    report = run(tmp_path, splits)
    assert names(report) == [
        ("WARNING", "class_imbalance", "train"),
        ("WARNING", "narrow_images", "train"),
    ]


def test_limits_are_inclusive(tmp_path):
    splits = healthy()
    splits["train"] = [(0, png(row)) for row in range(6)] + [(1, png(50)), (1, png(51, size=(40, 10)))]
    splits["test"][0] = (0, png(60, size=(8, 8)))
    assert run(tmp_path, splits)["verdict"] == "pass"


def test_a_class_without_training_images_is_an_error(tmp_path):
    splits = healthy()
    splits["train"] = [(0, png(row)) for row in range(7)]
    with pytest.raises(DataError, match="1 of 2 classes have no image: dog"):
        run(tmp_path, splits)


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


def test_workers_and_shards_do_not_change_a_byte(tmp_path, monkeypatch):
    run(tmp_path, healthy(), Runtime(beam=BeamRuntime(num_workers=1)), name="one")
    monkeypatch.setattr("components.sources.shards.EXAMPLES_PER_SHARD", 3)
    run(tmp_path, healthy(), Runtime(beam=BeamRuntime(num_workers=2)), name="two")
    for path in (tmp_path / "one").iterdir():
        assert (tmp_path / "two" / path.name).read_bytes() == path.read_bytes(), path.name
    assert sorted(p.name for p in (tmp_path / "one").iterdir()) == sorted(p.name for p in (tmp_path / "two").iterdir())


def test_a_shard_that_is_not_what_its_manifest_says_is_an_error(tmp_path):
    dataset = write(tmp_path / "dataset-out", healthy())
    manifest = json.loads((dataset / "manifest.json").read_text())
    manifest["splits"]["test"]["shards"][0]["num_examples"] = 5
    (dataset / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="expected 5 examples as its manifest says, found 4"):
        run(tmp_path, {})


def test_a_whole_shard_of_another_data_set_is_an_error(tmp_path):
    dataset = write(tmp_path / "dataset-out", healthy())
    others = healthy()
    others["test"][2] = (0, png(777, mode="L"))
    other = write(tmp_path / "other", others)
    name = "dataset-test.tfrecord-00000-of-00001"
    os.replace(other / name, dataset / name)
    with pytest.raises(DataError, match=rf"{name}: expected SHA-256 \w{{12}}… as its manifest says, found \w{{12}}…;"):
        run(tmp_path, {})


def test_a_flipped_byte_is_found(tmp_path):
    dataset = write(tmp_path / "dataset-out", healthy())
    path = dataset / "dataset-train.tfrecord-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 9] ^= 1  # of the first image
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{path.name}, record 0 at byte 0: .*checksum, found damaged data"):
        run(tmp_path, {})


def test_a_missing_data_set_names_the_stage_that_writes_it(tmp_path):
    (tmp_path / "dataset-out").mkdir()
    with pytest.raises(DataError, match=r"manifest\.json does not exist.*download"):
        run(tmp_path, {})


def photo(value: int, *, width=120, height=90, quality=90) -> bytes:
    coarse = np.random.default_rng(value).integers(0, 256, (6, 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize((240, 180)).resize((width, height)).save(file, "JPEG", quality=quality)
    return file.getvalue()


def photos() -> dict[str, list[tuple[int, bytes]]]:
    return {
        split: [(row % 2, photo(start + row)) for row in range(count)]
        for split, start, count in (("train", 0, 20), ("validation", 100, 4), ("test", 200, 4))
    }


def test_images_that_look_alike_are_reported_within_and_across_splits(tmp_path):
    splits = photos()
    assert run(tmp_path, splits, near_copy_bits=4, name="none")["anomalies"] == []
    splits["train"][3] = (1, photo(1, width=100, height=75))
    splits["test"][0] = (1, photo(5, quality=50))
    with pytest.raises(DataError, match="1 pairs of images in two splits look alike: test/0 = train/5"):
        run(tmp_path, splits, near_copy_bits=4)
    report = run(tmp_path, splits, near_copy_bits=4, allow_near_leakage=True, name="allowed")
    assert names(report) == [("WARNING", "near_copies", "train"), ("WARNING", "near_leakage", "")]
    assert "train/1 = train/3" in report["anomalies"][0]["description"]
    assert run(tmp_path, splits, name="off")["anomalies"] == []


def test_empty_files_in_two_splits_are_no_leakage(tmp_path):
    splits = healthy()
    splits["train"][0] = splits["test"][0] = (0, b"")
    report = run(tmp_path, splits, max_corrupt_share=0.5)
    assert names(report) == [("WARNING", "corrupt_images", split) for split in ("test", "train")]


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


def test_the_page_shows_what_is_odd_and_needs_no_network(tmp_path):
    splits = healthy()
    splits["train"][3] = (1, b"<script>alert(1)</script>")
    splits["train"][5] = (1, splits["train"][4][1])
    run(tmp_path, splits)
    html = (tmp_path / "out" / "validation.html").read_text()
    assert html.count('<img alt="" src="data:image/jpeg;base64,') == 4 * 1 + 2 + 2  # grey tests, copies, two labels
    assert "train/3<br>no known image format" in html
    assert b"<script".hex(" ") in html
    for foreign in ("<script", "http:", "https:"):
        assert foreign not in html


def test_the_same_bytes_twice_are_copies_and_no_near_copies(tmp_path):
    splits = photos()
    splits["train"][3] = (1, splits["train"][1][1])
    assert names(run(tmp_path, splits, near_copy_bits=4)) == [("WARNING", "copies", "train")]
