import csv
import functools
import hashlib
import json
import re
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import ValidationError

import alexnet_tf as an
from alexnet_tf.errors import AlexNetError, DataError
from alexnet_tf.export.model_card import _bordered, _code
from alexnet_tf.metrics.correctness import Correctness, write_correctness
from alexnet_tf.metrics.top_k import score_views
from components import export
from components.interfaces import Runtime
from tests.components.recorder import RecordingTracker

NUM = 400
GATE = {"max_top1_error": 0.5, "champion_margin": 0.05, "confidence": 0.95, "bootstrap_samples": 500}


def write_evaluation(folder, right, *, images="test"):
    """Write what the gate reads of `evaluate`, of a model that is right where told."""
    folder.mkdir(parents=True, exist_ok=True)
    error = 1 - np.mean(right)
    view = {"top1_error": error, "top1_error_low": error - 0.1, "top1_error_high": error + 0.1, "mean_loss": 1.0}
    (folder / "metrics.json").write_text(json.dumps({"num_examples": NUM, "center": view, "ten_crop": view}))
    digest = hashlib.sha256(images.encode()).hexdigest()
    found = Correctness(NUM, digest, {"ten_crop_top1": np.asarray(right, bool)})
    write_correctness(folder / "correct.npz", found)


@pytest.fixture
def paths(tmp_path):
    write_evaluation(tmp_path / "evaluate" / "faithful", np.arange(NUM) >= 160)  # an error of 0.4
    (tmp_path / "champions").mkdir()
    return tmp_path


def _run(root, *, tflite="none", onnx=False, runtime=None, **changes):
    inputs = export.Inputs(
        model=root / "model",
        evaluation=root / "evaluate" / "faithful",
        records=root / "records",
        champions=root / "champions",
    )
    params = export.Params(gate=export.Gate(**(GATE | changes)), export=export.Package(tflite=tflite, onnx=onnx))
    found = export.run(inputs, export.Outputs(export=root / "export"), params, runtime or Runtime())
    return root / "export", found


def test_a_refused_model_leaves_its_blessing_alone(paths):
    folder, found = _run(paths, max_top1_error=0.44)  # 0.4 is below, but its interval reaches above
    assert [path.name for path in folder.iterdir()] == ["blessing.json"]
    blessing = json.loads((folder / "blessing.json").read_text())
    assert (blessing["blessed"], blessing["confidence"]) == (False, 0.95)
    absolute, champion = blessing["rules"]
    assert (absolute["value"], absolute["bound"], absolute["verdict"]) == (0.4, 0.44, "fail")
    assert absolute["low"] == pytest.approx(0.353, abs=1e-3)
    assert absolute["high"] == pytest.approx(0.449, abs=1e-3)
    assert champion["verdict"] == "skipped"
    assert champion["reason"] == "there is no champion yet"
    assert found == (
        "not exported: ten_crop.top1_error is 0.4000 and may be up to 0.4487, where at most 0.4400 is allowed"
        " (gate.max_top1_error)"
    )


def test_a_model_worse_than_its_champion_is_refused(paths):
    write_evaluation(paths / "champions" / "faithful", np.arange(NUM) >= 120)
    folder, found = _run(paths)
    blessing = json.loads((folder / "blessing.json").read_text())
    assert [rule["verdict"] for rule in blessing["rules"]] == ["pass", "fail"]
    assert blessing["rules"][1]["value"] == pytest.approx(0.1)
    assert "minus the champion's is 0.1000 and may be up to 0.1" in found
    assert not (folder / "saved_model").exists()


def test_a_broken_champion_is_named_with_the_way_out(paths):
    (paths / "champions" / "faithful").mkdir()
    (paths / "champions" / "faithful" / "correct.npz").write_bytes(b"half")
    with pytest.raises(DataError, match=r"champions/faithful/correct\.npz is missing or broken .*alexnet promote"):
        _run(paths)


@pytest.mark.parametrize("changes", [{"max_top1_error": -0.1}, {"max_top1_error": "0.3"}, {"confidence": 1.0}])
def test_a_bound_that_makes_no_sense_is_refused(changes):
    with pytest.raises(ValidationError):
        export.Gate(**(GATE | changes))


def test_a_missing_evaluation_is_named(paths):
    (paths / "evaluate" / "faithful" / "metrics.json").unlink()
    with pytest.raises(DataError, match="run the stage evaluate"):
        _run(paths)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"num_examples": 4, "ten_crop": null}'])
def test_a_foreign_evaluation_is_named(paths, content):
    (paths / "evaluate" / "faithful" / "metrics.json").write_text(content)
    with pytest.raises(DataError, match=r"metrics\.json is missing or broken .*: run the stage evaluate"):
        _run(paths)
    assert not (paths / "export").exists()


@pytest.fixture
def model(paths):
    """A three-class model in paths/model: images stored at 20 pixels, doubled, seen in crops of 32."""
    from alexnet_tf.models.classifier import Classifier, write_classifier
    from alexnet_tf.models.networks import build
    from alexnet_tf.models.views import Views
    from tests.alexnet_tf.small_training import alexnet_bn, input_spec

    spec = alexnet_bn(filters=[4] * 5, dense_units=[8, 8])
    views = Views(input_spec(crop_size=32, divide_by=64.0), 20, 40, np.float32([90, 100, 110]))
    classifier = Classifier(build(spec, crop_size=32, num_classes=3, seed=1), views, ("ash", "elm", "fir"), "float32")
    write_classifier(paths / "model", classifier)
    return classifier


@pytest.fixture
def images(paths, model, monkeypatch):
    """Nine test images, and what the evaluation said of them."""
    return open_images(monkeypatch, paths, model)


def open_images(monkeypatch, paths, model, *, size=40):
    from alexnet_tf.data import record_dataset

    images = np.random.default_rng(0).integers(0, 256, (9, 20, 20, 3), dtype=np.uint8)
    split = SimpleNamespace(
        num_examples=9,
        folder="records",
        class_names=model.class_names,
        size=size,
        stored_size=20,
        read=lambda indices: images[np.asarray(indices)],
    )
    monkeypatch.setattr(record_dataset, "RecordDataset", SimpleNamespace(open=lambda folder, name: split))
    write_predictions(paths / "evaluate" / "faithful", model, images)
    return images


def test_a_tflite_file_comes_with_what_it_costs(paths, images, monkeypatch):
    from alexnet_tf.export import check

    tracker = RecordingTracker()
    monkeypatch.setattr(check, "compare_in_fresh_process", lambda *_: 0.0)  # the next test runs it
    folder, _ = _run(paths, tflite="float16", runtime=Runtime(tracker=tracker))
    measured = json.loads((folder / "tflite.json").read_text())
    assert (measured["images"], measured["of"], measured["top1_agreement"]) == (9, 9, 1.0)
    assert measured["bytes"] == (folder / "model.tflite").stat().st_size
    assert {name: value for name, value in tracker.values.items() if "tflite" in name} == {
        f"export/tflite_{name}": measured[name] for name in ("bytes", "max_logit_difference", "top1_agreement")
    }
    card = (folder / "model_card.md").read_text()
    assert "(1, 32, 32, 3) float32, RGB, 0 to 255" in card
    assert f"On all 9 test images, its logits are within {measured['max_logit_difference']:.3g} of" in card


def test_an_onnx_file_comes_with_what_onnxruntime_answers(paths, images, monkeypatch):
    from alexnet_tf.export import check

    monkeypatch.setattr(check, "compare_in_fresh_process", lambda *_: 0.0)
    folder, _ = _run(paths, onnx=True)
    measured = json.loads((folder / "onnx.json").read_text())
    assert (measured["images"], measured["of"], measured["top1_agreement"]) == (9, 9, 1.0)
    assert measured["bytes"] == (folder / "model.onnx").stat().st_size
    card = (folder / "model_card.md").read_text()
    assert "(N, 32, 32, 3) float32, RGB, 0 to 255" in card
    assert f"its logits in onnxruntime are within {measured['max_logit_difference']:.3g} of" in card
    assert "Lite" not in card


@pytest.mark.parametrize(
    ("pattern", "instead", "found"),
    [
        (r"\Z", "", None),
        (r"\n[\s\S]*", "\n", "0 rows"),
        (r"test/2[\s\S]*", "", "2 rows"),
        ("center_class", "centre_class", "no column 'center_class'"),
        (r"test/1,\w+", "test/1,oak", "the class oak of test/1, which the model does not know"),
        (r"(test/3,\w+),[\d.]+", r"\1,most", "could not convert string to float: 'most'"),
    ],
)
def test_what_the_evaluation_said_is_whole_or_refused(tmp_path, pattern, instead, found):
    lines = ["key,center_class,center_probability,ten_crop_class,ten_crop_probability"]
    lines += [f"test/{index},elm,0.9,elm,0.8" for index in range(5)]
    (tmp_path / "predictions.csv").write_text(re.sub(pattern, instead, "\n".join(lines) + "\n", count=1))
    read = functools.partial(export._recorded, tmp_path / "predictions.csv", ("ash", "elm"), num=4)
    if found is None:
        assert [row["key"] for row in read()] == ["test/0", "test/1", "test/2", "test/3"]
        return
    expected = "expected a class and a probability for each of 4 images and both views, found "
    with pytest.raises(DataError, match=re.escape(f"{expected}{found}: run the stage evaluate of this variant.")):
        read()


def test_records_of_another_size_than_the_models_are_refused(paths, model, monkeypatch):
    open_images(monkeypatch, paths, model, size=20)
    with pytest.raises(DataError, match=r"images of 40 pixels.*holds images of 20.*train the model on these records"):
        _run(paths)
    assert not (paths / "export" / "saved_model").exists()


def test_without_the_extra_nothing_is_begun(paths, monkeypatch):
    from alexnet_tf.export import onnx_check

    monkeypatch.setattr(onnx_check, "find_spec", lambda name: None)
    with pytest.raises(AlexNetError, match=r"needs onnx and onnxruntime: .*pip install 'WHEEL\[onnx\]'"):
        _run(paths, onnx=True)
    assert not (paths / "export").exists()


@pytest.mark.parametrize("value", ["int8", True, None])
def test_another_kind_of_tflite_file_is_refused(value):
    with pytest.raises(ValidationError, match="'none' or 'float16'"):
        export.Package(tflite=value, onnx=False)


@pytest.mark.parametrize(
    ("border", "words"),
    [
        (0, ""),
        (1, "; the ten views come from the square with a mirrored border of 1 pixel"),
        (2, "; the ten views come from the square with a mirrored border of 2 pixels"),
    ],
)
def test_the_card_says_from_where_the_views_of_a_small_image_are(border, words):
    """Without one, crops as large as the square would all be the same."""
    views = SimpleNamespace(spec=SimpleNamespace(test_border=border))
    assert _bordered(SimpleNamespace(views=views)) == words


@pytest.mark.slow  # the end-to-end test does it by the stage
def test_a_blessed_model_is_exported_and_asked_in_a_fresh_process(paths, model, images):
    import keras

    folder, found = _run(paths)
    assert re.fullmatch(
        r"passed its gate: ten_crop\.top1_error is 0\.4000 and may be up to 0\.4487, where at most \S+ is allowed "
        r"\(gate\.max_top1_error\)",
        found,
    )
    assert {path.name for path in folder.iterdir()} == {
        "blessing.json",
        "saved_model",
        "model.keras",
        "mean.npy",
        "class_names.txt",
        "model_card.md",
    }
    assert (folder / "class_names.txt").read_text() == "ash\nelm\nfir\n"
    card = (folder / "model_card.md").read_text()
    assert "| top-1, ten crops | 40.0 % (30.0 to 50.0) |" in card
    fixed = sum(weight.numpy().size for weight in model.model.non_trainable_weights)
    total = model.model.count_params()
    trainable = f", of which {total - fixed:,} trainable" if fixed else ""
    assert f"- Parameters: {total:,}{trainable}\n" in card
    assert "top-5" not in card
    assert "Lite" not in card
    assert "enlarged to 40 × 40, views of 32 × 32 pixels cut out.\n" in card
    x = model.views.center(images)
    assert 'load_model("model.keras", custom_objects=an.custom_objects())' in card
    network = keras.saving.load_model(folder / "model.keras", custom_objects=an.custom_objects())
    np.testing.assert_allclose(network(x), model.model(x), rtol=1e-6)
    np.testing.assert_array_equal(np.load(folder / "mean.npy"), model.views.mean)


def write_predictions(folder, model, images):
    """Write what the evaluation would say of the images."""
    views = model.views.ten(images).numpy()
    logits = model.model(views.reshape(-1, 32, 32, 3), training=False).numpy().reshape(len(images), 10, 3)
    scored = score_views(logits, np.zeros(len(images), int))
    rows = []
    for index in range(len(images)):
        row = {"key": f"test/{index}"}
        for view, each in scored.items():
            row[f"{view}_class"] = model.class_names[each.classes[index]]
            row[f"{view}_probability"] = f"{each.probabilities[index]:.6f}"
        rows.append(row)
    with (folder / "predictions.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_a_keras_file_holds_no_date(model, tmp_path):
    from alexnet_tf.export.keras_file import save_keras

    save_keras(model.model, tmp_path / "a.keras")
    save_keras(model.model, tmp_path / "b.keras")
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.keras") as file:
        assert {entry.date_time for entry in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(file.read("metadata.json"))["date_saved"] == ""


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "*red*", "a`b", "plain"])
def test_the_names_of_classes_mean_nothing_to_markdown(name):
    written = _code(name)
    fence = re.match("`+", written)[0]
    assert written.startswith(fence)
    assert written.endswith(fence)
    assert written.strip("` ") == name.strip("` ")
    assert fence not in name
