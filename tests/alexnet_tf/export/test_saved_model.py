import base64
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from alexnet_tf.data import images as pillow_images
from alexnet_tf.errors import AlexNetError
from alexnet_tf.export import check, saved_model
from alexnet_tf.export.check import png
from alexnet_tf.models.networks import build
from tests.alexnet_tf.small_training import alexnet_bn

SPEC = alexnet_bn(filters=[4, 4, 4, 4, 4], dense_units=[8, 8], dropout=0.0)


class SmallClassifier(SimpleNamespace):
    """A classifier of 6 classes whose images are stored at 20 and seen at 40 pixels, in crops of 32."""

    stored_size = 20
    class_names = ("ash", "birch", "cedar", "elm", "fir", "gum")
    precision = "float32"

    @property
    def views(self):
        return self

    def compiled(self):
        return tf.function(lambda inputs: self.model(inputs, training=False))

    def enlarged(self, images):
        return tf.image.resize(tf.cast(images, tf.float32), [40, 40], method="bilinear")

    def center(self, images):
        return (self.enlarged(images)[:, 4:36, 4:36] - 110) / 64

    def ten(self, images):
        x = self.enlarged(images)
        corners = [(0, 0), (0, 8), (8, 0), (8, 8), (4, 4)]
        five = tf.stack([x[:, y : y + 32, z : z + 32] for y, z in corners], axis=1)
        return (tf.concat([five, five[:, :, :, ::-1]], axis=1) - 110) / 64


@pytest.fixture(scope="module")
def classifier():
    return SmallClassifier(model=build(SPEC, crop_size=32, num_classes=6, seed=3))


@pytest.fixture(scope="module")
def saved(classifier, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "saved_model"
    saved_model.save(classifier, folder)
    return folder


def smooth_image(height, width, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize(("height", "width"), [(60, 45), (41, 97), (20, 20), (9, 13), (1, 50), (200, 21)])
def test_squares_as_pillow_does(height, width):
    pixels = smooth_image(height, width)
    ours = saved_model.to_square(tf.constant(pixels), 20).numpy().astype(int)
    theirs = np.asarray(pillow_images.to_square(Image.fromarray(pixels), 20), int)
    assert np.abs(ours - theirs).max() <= 1  # Pillow rounds between its two passes
    assert np.abs(ours - theirs).mean() < 0.3


def test_a_square_of_the_right_size_is_left_alone():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    np.testing.assert_array_equal(saved_model.to_square(tf.constant(pixels), 20), pixels)


CANARIES = np.random.default_rng(1).integers(0, 256, (3, 20, 20, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def answers(saved):
    return check.ask(saved, CANARIES)


def test_answers_of_a_fresh_process_are_those_of_the_classifier(saved, classifier, answers, monkeypatch):
    monkeypatch.setattr(check, "ask", lambda *_: answers)
    assert check.compare_in_fresh_process(saved, classifier, CANARIES) < 1e-5


def test_a_record_for_every_image_or_none(saved, classifier, answers, monkeypatch):
    monkeypatch.setattr(check, "ask", lambda *_: answers)
    with pytest.raises(ValueError, match=r"zip\(\)"):
        check.compare_in_fresh_process(saved, classifier, CANARIES, [])


def test_the_network_answers_as_one_function(saved, classifier, answers, monkeypatch):
    """Called by itself it has TensorFlow trace the programs of its layers one by one, and warn of so many."""
    eagerly = []

    class Watched:
        def __call__(self, inputs, training):
            eagerly.append(tf.executing_eagerly())
            return classifier.model(inputs, training=training)

    monkeypatch.setattr(check, "ask", lambda *_: answers)
    check.compare_in_fresh_process(saved, SmallClassifier(model=Watched()), CANARIES)
    assert eagerly == [False, False]  # traced for the centre and for the ten views


def test_another_model_is_found_out(saved, answers, monkeypatch):
    monkeypatch.setattr(check, "ask", lambda *_: answers)
    other = SmallClassifier(model=build(SPEC, crop_size=32, num_classes=6, seed=4))
    with pytest.raises(AlexNetError, match="gives different results from the trained model"):
        check.compare_in_fresh_process(saved, other, CANARIES)


def test_answers_that_are_no_numbers_are_found_out(saved, classifier, answers, monkeypatch):
    spoiled = {
        name: np.full_like(value, np.nan) if name == "center_logits" else value for name, value in answers.items()
    }
    monkeypatch.setattr(check, "ask", lambda *_: spoiled)
    with pytest.raises(AlexNetError, match=r"different results .* \(center: logits differ by nan"):
        check.compare_in_fresh_process(saved, classifier, CANARIES)


def test_what_the_evaluation_wrote_is_held_against_the_answers(saved, classifier, answers, monkeypatch):
    monkeypatch.setattr(check, "ask", lambda *_: answers)
    rows = []
    for index in range(3):
        row = {"key": f"test/{index}"}
        for view in ("center", "ten_crop"):
            probabilities = answers[f"{view}_probabilities"][index]
            row[f"{view}_class"] = classifier.class_names[probabilities.argmax()]
            row[f"{view}_probability"] = f"{probabilities.max():.6f}"
        rows.append(row)
    assert check.compare_in_fresh_process(saved, classifier, CANARIES, rows) < 1e-5
    second = answers["center_probabilities"][1].argsort()[-2]
    other = rows[1] | {
        "center_class": classifier.class_names[second],
        "center_probability": f"{answers['center_probabilities'][1][second]:.6f}",
    }
    with pytest.raises(AlexNetError, match=r"gives test/1 \(center\) .* up to 0\.\d+ for a class"):
        check.compare_in_fresh_process(saved, classifier, CANARIES, [rows[0], other])
    rows[2]["ten_crop_probability"] = "0.999"
    with pytest.raises(AlexNetError, match=r"gives test/2 \(ten_crop\) .* best, with 0\.9990"):
        check.compare_in_fresh_process(saved, classifier, CANARIES, rows)


@pytest.fixture(scope="module")
def served(saved):
    from pipeline.tracking.served_model import _load_pyfunc

    return _load_pyfunc(str(saved))


def test_the_served_model_answers_in_words(served, saved):
    import pandas as pd
    from mlflow.exceptions import MlflowException

    images = pd.DataFrame({"image": [png(smooth_image(30, 44, seed)) for seed in range(2)]})
    answers = served.predict(images)
    assert [len(answer["classes"]) for answer in answers] == [5, 5]
    expected = tf.saved_model.load(str(saved)).signatures["ten_crop"](images=tf.constant(list(images["image"])))
    np.testing.assert_allclose([answer["probabilities"] for answer in answers], expected["top_probabilities"])
    texts = pd.DataFrame({"image": [base64.b64encode(each).decode() for each in images["image"]]})
    assert served.predict(texts) == answers
    wrapped = pd.DataFrame({"image": [base64.encodebytes(each).decode() for each in images["image"]]})
    assert served.predict(wrapped) == answers
    addresses = pd.DataFrame({"image": [f"data:image/png;base64,{each}" for each in texts["image"]]})
    assert served.predict(addresses) == answers
    assert served.predict(images[:0]) == []
    assert served.predict(images, {"view": "center"}) != answers
    with pytest.raises(MlflowException, match="view must be ten_crop or center, received 'both'"):
        served.predict(images, {"view": "both"})


BAD = {
    "text": (b"no image, but a line of text\n", "expected JPEG, PNG, .*, found another file; convert it to PNG"),
    "nothing": (b"", "expected JPEG, PNG, .*, found another file; convert it to PNG"),
    "half a PNG": (png(CANARIES[0])[:600], "Invalid PNG data, size 600"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("view", ["center", "ten_crop"])
def test_a_bad_image_is_one_sentence_with_its_index(served, name, view):
    import pandas as pd
    from mlflow.exceptions import MlflowException

    content, reason = BAD[name]
    images = pd.DataFrame({"image": [png(CANARIES[0]), png(CANARIES[1]), content, b"another text"]})
    with pytest.raises(MlflowException) as told:
        served.predict(images, {"view": view})
    told.value.message = f"Failed to predict data '{images}'. \nError: {told.value.message}"  # as MLflow's server does
    body = json.loads(told.value.serialize_as_json())
    assert set(body) == {"error_code", "message"}
    assert re.fullmatch(rf"image 2 \(the first is 0\) cannot be read: {reason}", body["message"])
    assert told.value.get_http_status_code() == 400


def test_signatures_name_classes_and_average_probabilities(saved, classifier):
    files = [png(smooth_image(30, 44, seed)) for seed in range(3)]
    model = tf.saved_model.load(str(saved))
    assert set(model.signatures) == {"serving_default", "ten_crop", "center"}
    answer = {key: value.numpy() for key, value in model.signatures["ten_crop"](images=tf.constant(files)).items()}
    assert answer["logits"].shape == (3, 10, 6)
    views = np.exp(answer["logits"]) / np.exp(answer["logits"]).sum(-1, keepdims=True)
    np.testing.assert_allclose(answer["probabilities"], views.mean(axis=1), rtol=1e-5)
    order = np.argsort(-answer["probabilities"], axis=1)[:, :5]
    np.testing.assert_array_equal(answer["top_classes"], np.array(classifier.class_names).astype(bytes)[order])
    np.testing.assert_array_equal(answer["top_probabilities"], np.take_along_axis(answer["probabilities"], order, 1))
    default = model.signatures["serving_default"](images=tf.constant(files))
    np.testing.assert_array_equal(default["probabilities"], answer["probabilities"])
    center = model.signatures["center"](images=tf.constant(files))
    np.testing.assert_allclose(center["logits"], answer["logits"][:, 4], rtol=1e-4, atol=1e-5)


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.slow
def test_bytes_are_the_same_in_two_fresh_processes(tmp_path):
    code = (
        "import importlib.util, sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[3])!r})\n"
        "from pathlib import Path\n"
        f"spec = importlib.util.spec_from_file_location('this_test', {__file__!r})\n"
        "this_test = importlib.util.module_from_spec(spec); spec.loader.exec_module(this_test)\n"
        "model = this_test.build(this_test.SPEC, crop_size=32, num_classes=6, seed=3)\n"
        "this_test.saved_model.save(this_test.SmallClassifier(model=model), Path(sys.argv[1]))\n"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / name)]) for name in ("a", "b")]
    assert [run.wait() for run in runs] == [0, 0]
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert "fingerprint.pb" not in digests(tmp_path / "a")
