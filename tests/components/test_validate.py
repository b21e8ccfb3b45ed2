import contextlib
import io
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet_tf.data.tfrecord import encode_example
from alexnet_tf.errors import DataError
from components import preprocess, validate
from components.interfaces import BeamRuntime, Runtime
from components.sources.shards import SplitWriter
from tests.components.recorder import RecordingTracker
from tests.components.small_dataset import preprocess_params, validate_params


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
    manifest = {"source": "test", "class_names": ["cat", "dog"], "splits": {}, "unreadable": [], "ignored": {}}
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
    params = validate_params(**changes)
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


def test_a_class_name_outside_ascii_survives_any_locale(tmp_path, monkeypatch):
    def in_ascii(method):
        return lambda path, *text, encoding="ascii", **more: method(path, *text, encoding=encoding, **more)

    for method in ("read_text", "write_text"):
        monkeypatch.setattr(Path, method, in_ascii(getattr(Path, method)))
    manifest = write(tmp_path / "dataset-out", healthy()) / "manifest.json"
    manifest.write_text(manifest.read_text().replace("cat", "blåhaj"), encoding="utf-8")
    shutil.copytree(tmp_path / "dataset-out", tmp_path / "dataset-again")
    run(tmp_path, healthy())
    schema = (tmp_path / "out" / "schema.pbtxt").read_bytes()
    assert "blåhaj".encode() in schema
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "sharks.pbtxt").write_bytes(schema)
    assert run(tmp_path, healthy(), name="again", reference_schema="sharks")["anomalies"] == []


def test_a_few_corrupt_images_are_a_warning_and_many_an_error(tmp_path):
    splits = healthy()
    splits["train"][3] = (1, png(3)[:-40])
    splits["train"][4] = (0, b"")
    report = run(tmp_path, splits)
    assert report["verdict"] == "warn"
    assert names(report) == [("WARNING", "corrupt_images", "train")]
    assert [entry["key"] for entry in report["splits"]["train"]["corrupt"]] == ["train/3", "train/4"]
    with pytest.raises(DataError, match=r"2 of 20 images cannot be decoded.*train/3.*empty file") as failed:
        run(tmp_path, splits, max_corrupt_share=0.09, name="strict")
    (page,) = re.findall(r"(\S+) shows the images\.", str(failed.value))
    assert "<h1>Validation: fail</h1>" in (tmp_path.parent / page).read_text()
    run(tmp_path, healthy(), name="whole")
    assert not (tmp_path.parent / page).exists()


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
    inputs, params = validate.Inputs(dataset, tmp_path / "schemas"), validate_params()
    assert validate.run(inputs, outputs, params, Runtime()) == (
        f"{sum(map(len, splits.values()))} images, {words}, 0 copied; no errors, 1 warning; "
        "reports/validate/validation.html shows them"
    )


def test_an_error_goes_to_the_tracker_and_leaves_no_verdict(tmp_path):
    splits, tracker = healthy(), RecordingTracker()
    splits["train"][0] = (0, png(0, size=(7, 20)))
    with pytest.raises(DataError, match=r"a side under 8 pixels: train/0 \(7 x 20\)"):
        run(tmp_path, splits, Runtime(tracker=tracker))
    names = ("anomalies.pbtxt", "schema.pbtxt", "statistics.pb", "validation.html", "validation.json")
    assert tracker.files == [f"validation/{name}" for name in names]
    assert not (tmp_path / "out.json").exists()


def test_the_same_bytes_in_two_splits_are_an_error_unless_allowed(tmp_path):
    splits = healthy()
    splits["test"][1] = splits["train"][1]
    with pytest.raises(DataError, match="more than one split with the same bytes: test/1 = train/1"):
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


def test_empty_files_in_two_splits_are_no_leakage(tmp_path):
    splits = healthy()
    splits["train"][0] = splits["test"][0] = (0, b"")
    report = run(tmp_path, splits, max_corrupt_share=0.5)
    assert names(report) == [("WARNING", "corrupt_images", split) for split in ("test", "train")]


def unfit(kind: str) -> dict[str, list[tuple[int, bytes]]]:
    """A set with one error, or two."""
    splits = healthy()
    if kind == "corrupt":
        splits["train"][:5] = [(0, b"no image")] * 5
    elif kind == "small":
        splits["test"][0] = (0, png(300, size=(5, 9)))
    elif kind == "leakage":
        splits["test"][0] = splits["train"][0]
    elif kind == "small and leakage":
        splits["test"][0] = splits["train"][0] = (0, png(300, size=(5, 9)))
    elif kind == "near leakage":
        photo = Image.new("L", (64, 64))
        photo.putdata([(x * y) % 251 for x in range(64) for y in range(64)])
        for split, quality in (("train", 95), ("test", 60)):
            file = io.BytesIO()
            photo.save(file, "JPEG", quality=quality)
            splits[split][0] = (0, file.getvalue())
    return splits


def other_schema(folder: Path) -> None:
    (folder / "schemas").mkdir()
    (folder / "schemas" / "cats.pbtxt").write_text(
        'feature { name: "label" string_domain { value: "cat" value: "lynx" } }'
    )


@pytest.mark.parametrize(
    ("kind", "limits", "way_out", "change"),
    [
        ("corrupt", {}, "or raise validate.max_corrupt_share.", {"max_corrupt_share": 0.25}),
        ("small", {}, "or lower validate.min_side_px.", {"min_side_px": 5}),
        ("leakage", {}, "or set validate.allow_split_leakage to true.", {"allow_split_leakage": True}),
        (
            "small and leakage",
            {},
            "or lower validate.min_side_px and set validate.allow_split_leakage to true.",
            {"min_side_px": 5, "allow_split_leakage": True},
        ),
        (
            "near leakage",
            {"near_copy_bits": 8},
            "or set validate.allow_near_leakage to true.",
            {"allow_near_leakage": True},
        ),
        (
            "classes",
            {"reference_schema": "cats"},
            "or set validate.reference_schema to null.",
            {"reference_schema": None},
        ),
    ],
)
def test_the_way_out_that_an_error_names_is_one(tmp_path, kind, limits, way_out, change):
    other_schema(tmp_path)
    splits = unfit(kind)
    with pytest.raises(DataError) as caught:
        run(tmp_path, splits, **limits)
    assert str(caught.value).endswith(f"Correct the source and run `dvc repro -f download`, {way_out}")
    shutil.rmtree(tmp_path / "out")
    assert run(tmp_path, splits, **(limits | change))["verdict"] in ("pass", "warn")


def test_a_class_without_training_images_is_left_out_by_name(tmp_path):
    splits = healthy() | {"train": [(0, png(row)) for row in range(7)]}
    way_out = r"or name the other classes in download\.subset\.classes\.$"
    with pytest.raises(DataError, match=rf"1 of 2 classes have no image that can be decoded: dog\..*, {way_out}"):
        run(tmp_path, splits)


def test_a_class_whose_only_image_cannot_be_decoded_is_a_class_without_images(tmp_path):
    splits = healthy()
    splits["train"] = [(0, png(row)) for row in range(60)] + [(1, b"cut short")]
    with pytest.raises(DataError, match=r"train: 1 of 2 classes have no image that can be decoded: dog"):
        run(tmp_path, splits)
    (tmp_path / "whole").mkdir()
    splits["train"].append((1, png(99)))
    verdict = run(tmp_path / "whole", splits)
    assert "largest class has 60 images and the smallest 1," in str(verdict["anomalies"])


@pytest.mark.parametrize("broken", [2, 3])
def test_what_validate_lets_through_preprocess_lets_through(tmp_path, broken):
    """The limits are the same: of forty images one is too large, two or three are cut short, and three are allowed."""
    splits = healthy()
    splits["train"] += [(row % 2, png(400 + row)) for row in range(20)]
    splits["train"][0] = (0, png(500, size=(40, 30)))
    for row in range(1, 1 + broken):
        splits["train"][row] = (row % 2, b"cut short")
    limits = {"max_corrupt_share": 0.075, "max_pixels": 1000}
    accepted = broken + 1 <= 3
    with contextlib.nullcontext() if accepted else pytest.raises(DataError, match="cannot be decoded"):
        run(tmp_path, splits, **limits)
    (tmp_path / "verdict.json").write_text('{"verdict": "warn"}')
    inputs = preprocess.Inputs(tmp_path / "dataset-out", tmp_path / "verdict.json")
    with contextlib.nullcontext() if accepted else pytest.raises(DataError, match=r"raise validate\.max_corrupt_share"):
        preprocess.run(inputs, preprocess.Outputs(tmp_path / "records"), preprocess_params(16, **limits), Runtime())
