import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf.errors import DataError, TrainingError
from alexnet_tf.models import networks
from alexnet_tf.models.classifier import Classifier, read_classifier, write_classifier
from alexnet_tf.models.views import Views
from tests.alexnet_tf.small_training import alexnet, alexnet_bn, four_layer, images, input_spec
from tests.components.small_dataset import contents

CLASS_NAMES = ("tench", "church", "golf ball")


def make_classifier(spec, *, precision="float32", mean="pixel"):
    model = networks.build(spec, crop_size=63, num_classes=3, seed=4, precision=precision)
    views = Views.create(
        input_spec(mean=mean, divide_by=64.0),
        stored_size=17,
        size=68,
        mean_image=np.random.default_rng(0).uniform(0, 255, (68, 68, 3)),
        channel_mean=[1.0, 2.0, 3.0],
    )
    return Classifier(model, views, CLASS_NAMES, precision)


def logits(classifier):
    model, views, stored = classifier.model, classifier.views, images(3, 17)
    return model(views.center(stored)).numpy(), model(tf.reshape(views.ten(stored), (-1, 63, 63, 3))).numpy()


@pytest.mark.parametrize(("mean", "precision"), [("pixel", "float32"), ("channel", "bfloat16")])
@pytest.mark.parametrize(
    "spec", [alexnet(weight_stddev=[0.1] * 8), alexnet_bn(), four_layer()], ids=["2012", "bn", "four"]
)
def test_a_round_trip_keeps_logits_and_bytes(tmp_path, spec, mean, precision):
    classifier = make_classifier(spec, precision=precision, mean=mean)
    write_classifier(tmp_path / "a", classifier)
    loaded = read_classifier(tmp_path / "a")
    write_classifier(tmp_path / "b", loaded)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert sorted(contents(tmp_path / "a")) == ["mean.npy", "model.json", "weights.safetensors"]
    for expected, found in zip(logits(classifier), logits(loaded), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_it_keeps_everything_that_describes_the_model(tmp_path):
    classifier = make_classifier(alexnet())
    write_classifier(tmp_path / "model", classifier)
    loaded = read_classifier(tmp_path / "model")
    assert loaded.class_names == CLASS_NAMES
    assert (loaded.size, loaded.stored_size, loaded.crop_size) == (68, 17, 63)
    assert loaded.model.spec == classifier.model.spec
    assert loaded.views.spec == classifier.views.spec
    np.testing.assert_array_equal(loaded.views.mean, classifier.views.mean)


def test_a_model_of_before_layers_could_be_left_out_has_them_all(tmp_path):
    classifier = make_classifier(alexnet(weight_stddev=[0.1] * 8))
    write_classifier(tmp_path / "model", classifier)
    path = tmp_path / "model" / "model.json"
    description = json.loads(path.read_text())
    assert description["network"].pop("left_out") == "none"
    path.write_text(json.dumps(description))
    np.testing.assert_array_equal(logits(read_classifier(tmp_path / "model"))[0], logits(classifier)[0])
    del description["network"]["towers"]
    path.write_text(json.dumps(description))
    with pytest.raises(DataError, match="towers"):
        read_classifier(tmp_path / "model")


@pytest.fixture
def folder(tmp_path):
    write_classifier(tmp_path / "model", make_classifier(alexnet_bn()))
    return tmp_path / "model"


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors", "mean.npy"])
def test_a_missing_file_is_a_data_error(folder, name):
    (folder / name).unlink()
    with pytest.raises(DataError, match=f"{name} does not exist; run the stage"):
        read_classifier(folder)


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors", "mean.npy"])
def test_a_truncated_file_is_a_data_error(folder, name):
    (folder / name).write_bytes((folder / name).read_bytes()[:20])
    with pytest.raises(DataError, match=r"no usable model|damaged"):
        read_classifier(folder)


def test_values_that_are_not_finite_are_refused(folder, tmp_path):
    classifier = read_classifier(folder)
    mean = classifier.views.mean.copy()
    mean.flat[5] = np.nan
    with pytest.raises(ValueError, match=r"the mean .* not finite"):
        replace(classifier.views, mean=mean)
    np.save(folder / "mean.npy", mean)
    with pytest.raises(DataError, match=r"no usable model \(ValueError: the mean that is subtracted .* not finite"):
        read_classifier(folder)
    classifier.model.convs[2].kernel.assign(classifier.model.convs[2].kernel.numpy() + np.inf)
    with pytest.raises(TrainingError, match=r"weights\.safetensors is not written, as conv3/kernel is not finite"):
        write_classifier(tmp_path / "spoiled", classifier)


def test_a_mean_of_another_shape_is_refused(folder):
    np.save(folder / "mean.npy", np.zeros((62, 63, 3), np.float32))
    with pytest.raises(DataError, match=r"mean has the shape \(62, 63, 3\), the crop 63 pixels a side"):
        read_classifier(folder)


class Trap:
    """Its pickle makes a file when it is read."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def test_no_code_in_a_model_is_run(folder, tmp_path):
    trap = np.array([Trap(tmp_path / "sprung")], dtype=object)
    np.load(io.BytesIO(_saved(trap)), allow_pickle=True)
    (tmp_path / "sprung").unlink()  # so it works
    (folder / "mean.npy").write_bytes(_saved(trap))
    with pytest.raises(DataError, match="holds no usable model"):
        read_classifier(folder)
    assert not (tmp_path / "sprung").exists()


def _saved(array):
    content = io.BytesIO()
    np.save(content, array, allow_pickle=True)
    return content.getvalue()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "has format 2, expected 3: train the model again, or use it with the version that wrote it"),
        ({"network": {"name": "resnet"}}, "holds no usable model"),
        ({"class_names": ["one", "two"]}, "does not fit the network at fc8"),
        ({"class_names": "abc"}, r"holds no usable model \(model\.json: class_names: Input should be a valid array"),
        (
            {"precision": "float16"},
            r"\(model\.json: precision: Input should be 'float32' or 'bfloat16'\); run the",
        ),
        ({"size": "68"}, r"\(model\.json: size: Input should be a valid integer"),
    ],
)
def test_a_description_of_another_model_is_a_data_error(folder, change, message):
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=message):
        read_classifier(folder)
