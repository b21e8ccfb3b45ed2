import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import alexnet_tf as an
from alexnet_tf import image_classifier
from alexnet_tf.data.images import to_square
from alexnet_tf.errors import TrainingError
from alexnet_tf.metrics.top_k import softmax
from alexnet_tf.models.classifier import write_classifier
from alexnet_tf.models.views import Views
from tests.alexnet_tf.odd_files import STORED, stored_turned
from tests.alexnet_tf.small_networks import CLASSES, classifier_of_six


@pytest.fixture(scope="module")
def trained():
    return classifier_of_six(faithful=False)


@pytest.fixture
def folder(tmp_path, trained):
    write_classifier(tmp_path / "model", trained)
    return tmp_path / "model"


@pytest.fixture
def photos(tmp_path):
    """Files of several kinds, more than one batch of them."""
    paths = []
    for seed in range(35):
        coarse = np.random.default_rng(seed).integers(0, 256, (5, 4, 3), dtype=np.uint8)
        paths.append(tmp_path / f"{seed}.{('png', 'bmp')[seed % 2]}")
        Image.fromarray(coarse).resize((40, 50)).save(paths[-1])
    return paths


@pytest.mark.parametrize("ten_crop", [True, False])
def test_answers_are_those_of_the_network_on_the_pipelines_views(folder, trained, photos, ten_crop):
    classifier = an.load_pretrained(folder)
    names, probabilities = classifier.predict(photos, ten_crop=ten_crop)
    assert names.shape == probabilities.shape == (35, 5)
    assert probabilities.dtype == np.float32
    for row, path in enumerate(photos):
        with Image.open(path) as image:
            stored = np.asarray(to_square(image, 16))[None]
        views = trained.views.ten(stored)[0]
        views = views if ten_crop else views[4:5]
        mean = softmax(trained.model(views).numpy()).mean(axis=0)
        best = np.argsort(-mean)[:5]
        assert names[row].tolist() == [CLASSES[index] for index in best]
        np.testing.assert_allclose(probabilities[row], mean[best], atol=2e-6)


def test_the_network_is_traced_once_for_each_way_of_looking(folder, photos, monkeypatch):
    traced = []
    forward = Views.enlarged

    def noting(self, images):
        traced.append(images)
        return forward(self, images)

    monkeypatch.setattr(Views, "enlarged", noting)
    classifier = an.load_pretrained(folder)
    for ten_crop in (True, False, True, False):
        classifier.predict(photos[:2], ten_crop=ten_crop)
        classifier.predict(photos[:3], ten_crop=ten_crop)
    assert len(traced) == 2


def test_inputs_are_what_the_model_takes(folder, photos):
    classifier = an.load_pretrained(str(folder))
    inputs = classifier.inputs(photos[:3])
    assert inputs.shape == (3, 32, 32, 3)
    logits = classifier.model(inputs).numpy()
    names, probabilities = classifier.predict(photos[:3], ten_crop=False)
    assert names[:, 0].tolist() == [classifier.class_names[index] for index in logits.argmax(axis=1)]
    np.testing.assert_allclose(probabilities[:, 0], softmax(logits).max(axis=1), atol=2e-6)


def test_turned_photographs_give_the_logits_of_the_upright_one(folder, tmp_path):
    picture = np.random.default_rng(3).integers(0, 256, (50, 40, 3), dtype=np.uint8)
    for orientation in STORED:
        (tmp_path / f"{orientation}.png").write_bytes(stored_turned(picture, orientation))
    files = sorted(tmp_path.glob("*.png"))
    classifier = an.load_pretrained(folder)
    turned, stored = (classifier.inputs(files, exif_orientation=asked) for asked in (True, False))
    upright = classifier.model(turned[:1])
    for inputs in turned:
        np.testing.assert_array_equal(classifier.model(inputs[None]), upright)
    assert [np.array_equal(inputs, turned[0]) for inputs in stored] == [orientation == 1 for orientation in STORED]
    probabilities = classifier.predict(files)[1]
    np.testing.assert_allclose(probabilities, np.repeat(probabilities[:1], len(files), axis=0), atol=1e-6)
    assert np.abs(classifier.predict(files, exif_orientation=False)[1] - probabilities).max() > 1e-3


def test_one_path_is_one_file_and_no_files_are_no_answers(folder, photos):
    classifier = an.load_pretrained(folder)
    assert classifier.predict(str(photos[0]))[0].shape == (1, 5)
    names, probabilities = classifier.predict([])
    assert names.shape == probabilities.shape == (0, 5)
    assert classifier.inputs([]).shape == (0, 32, 32, 3)


def test_a_file_that_is_no_image_is_named(folder, photos, tmp_path):
    classifier = an.load_pretrained(folder)
    (tmp_path / "notes.txt").write_text("words")
    for path, reason in ((tmp_path / "notes.txt", "no known image format"), (tmp_path / "x.png", "No such file")):
        with pytest.raises(an.DataError, match=f"{path.name}: {reason}.*; expected an image file"):
            classifier.predict([photos[0], path])
    with pytest.raises(an.DataError, match="too many pixels"):
        classifier.predict(photos[:1], max_pixels=100)
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(an.DataError, match=r"pipe\.png: not a regular file; expected an image file"):
        classifier.predict(tmp_path / "pipe.png")
    with pytest.raises(an.DataError, match="null byte; expected an image file"):
        classifier.inputs("a\0b.jpg")


def test_a_name_is_that_of_a_model_of_the_package_where_no_folder_has_it(tmp_path, trained, monkeypatch):
    monkeypatch.chdir(tmp_path)
    packaged = an.load_pretrained("cifar10")
    assert packaged.class_names[:3] == ("airplane", "automobile", "bird")
    assert packaged.model.count_params() > 1_000_000
    (tmp_path / "cifar10").mkdir()  # as tensorflow-datasets makes one
    assert an.load_pretrained("cifar10").class_names == packaged.class_names
    (tmp_path / "cifar10").rmdir()
    monkeypatch.setattr(image_classifier, "packaged_models", lambda: tmp_path / "shelf")
    with pytest.raises(an.ConfigError, match=r"cifar10 is not a folder; .*; this version comes with no model"):
        an.load_pretrained("cifar10")
    (tmp_path / "shelf").mkdir()
    write_classifier(tmp_path / "shelf/cifar10", trained)
    assert an.load_pretrained("cifar10").class_names == CLASSES
    with pytest.raises(an.ConfigError, match=r"such as models/optimized, or one of cifar10; did you mean cifar10\?"):
        an.load_pretrained("cifar100")


def test_the_photographs_of_the_package_are_small_documented_and_of_a_cat():
    folder = Path(an.__file__).with_name("photos")
    names = sorted(path.name for path in folder.glob("*.jpg"))
    assert all((folder / name).stat().st_size < 60_000 for name in names)
    documented = (folder / "README.md").read_text()
    assert [name for name in names if f"| `{name}` |" in documented] == names != []
    for model in ("cifar10", "cifar10_jpeg"):
        assert an.load_pretrained(model).predict(folder / "cat.jpg")[0][0, 0] == "cat"


def test_a_folder_without_a_model_and_an_incomplete_model_are_refused(folder, tmp_path):
    with pytest.raises(an.DataError, match=r"expected the folder of a model, .* found no model\.json"):
        an.load_pretrained(tmp_path)
    description = json.loads((folder / "model.json").read_text())
    del description["network"]["dropout"]
    (folder / "model.json").write_text(json.dumps(description))
    with pytest.raises(an.DataError, match=r"holds no usable model \(model\.json: network\.alexnet_bn\.dropout: "):
        an.load_pretrained(folder)


def test_a_network_that_is_not_finite_answers_nothing(photos):
    spoiled = classifier_of_six(faithful=False)
    kernel = spoiled.model.dense[2].kernel
    kernel.assign(np.full(kernel.shape, np.nan))
    with pytest.raises(TrainingError, match="logits that are not finite"):
        image_classifier.ImageClassifier(spoiled).predict(photos[:2])


def test_a_picture_is_the_same_as_a_file_as_bytes_as_a_pillow_image_and_as_an_array(folder, photos):
    classifier = an.load_pretrained(folder)
    files = photos[:3]
    arrays = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in files])
    names, probabilities = classifier.predict(files)
    for same in (
        [path.read_bytes() for path in files],
        [bytearray(path.read_bytes()) for path in files],
        [Image.open(path) for path in files],
        (Image.open(path) for path in files),
        arrays,
        [files[0], files[1].read_bytes(), arrays[2]],
    ):
        found = classifier.predict(same)
        assert found[0].tolist() == names.tolist()
        np.testing.assert_array_equal(found[1], probabilities)
    expected = classifier.inputs(files[0])
    for one in (files[0].read_bytes(), Image.open(files[0]), arrays[0]):
        np.testing.assert_array_equal(classifier.inputs(one), expected)


@pytest.mark.parametrize("form", ["L", "P", "CMYK", "I;16", "RGBA", "1"])
def test_a_pillow_image_of_any_kind_is_taken_as_its_file_and_left_as_it_was(folder, tmp_path, form):
    grey = np.random.default_rng(0).integers(0, 65536, (20, 24), dtype=np.uint16)
    image = Image.fromarray(grey) if form == "I;16" else Image.fromarray((grey >> 8).astype(np.uint8)).convert(form)
    image.save(path := tmp_path / ("image.tif" if form in ("CMYK", "I;16") else "image.png"))
    classifier = an.load_pretrained(folder)
    with Image.open(path) as opened:
        before = dict(opened.info)
        for _ in range(2):  # the second time it has been loaded
            np.testing.assert_array_equal(classifier.inputs(opened), classifier.inputs(path))
        assert opened.mode == form
        assert opened.info == before


def test_a_turned_pillow_image_is_turned_as_its_file(folder, tmp_path):
    picture = np.random.default_rng(3).integers(0, 256, (50, 40, 3), dtype=np.uint8)
    (path := tmp_path / "6.png").write_bytes(stored_turned(picture, 6))
    classifier = an.load_pretrained(folder)
    for asked in (True, False):
        with Image.open(path) as opened:
            found = classifier.inputs(opened, exif_orientation=asked)
        np.testing.assert_array_equal(found, classifier.inputs(path, exif_orientation=asked))


def test_what_is_no_picture_is_refused_in_a_sentence(folder, tmp_path, photos):
    classifier = an.load_pretrained(folder)
    anything = "expected a path, bytes, a Pillow image or a uint8 array"
    for wrong, sentence in (
        (3, f"{anything}, or several of them, got int"),
        ([photos[0], None], f"picture 1: {anything}, got NoneType"),
        (b"words", "picture 0: no known image format; expected an image"),
        (np.zeros((8, 8, 3), np.float32), r"must be uint8, 0\.\.255, got float32; of values 0\.\.1 take np\.round"),
        (np.zeros((2, 8, 8, 3)), r"picture 0: an array of pixels must be uint8, 0\.\.255, got float64"),
        ([photos[0], np.zeros((8, 8), np.uint8)], r"picture 1: an array of pixels must be \(H, W, 3\) RGB"),
        (np.zeros((8, 8), np.uint8), r"must be \(H, W, 3\) RGB, or \(N, H, W, 3\), got \(8, 8\); of a grey one"),
        (np.zeros((0, 8, 3), np.uint8), r"picture 0: no pixels \(8 x 0\)"),
        ("https://example.org/cat.jpg", "https://example.org/cat.jpg is no path of a file; download it"),
        (tmp_path, r"is a folder; give the paths of its files, such as Path\(folder\)"),
    ):
        for ask in (classifier.inputs, classifier.predict):
            with pytest.raises(an.DataError, match=sentence):
                ask(wrong)
    with pytest.raises(an.DataError, match="picture 33: no known image format"):
        classifier.predict([*photos[:33], b"words"], ten_crop=False)
    for one in (Image.new("RGB", (40, 50)), np.zeros((50, 40, 3), np.uint8)):
        with pytest.raises(an.DataError, match=r"picture 0: too many pixels \(40 x 50\)"):
            classifier.inputs(one, max_pixels=100)


def test_what_is_no_folder_of_a_model_is_told_with_the_way_out(folder):
    with pytest.raises(an.ConfigError, match=r"CIFAR10 is not a folder; .*; did you mean cifar10\?"):
        an.load_pretrained("CIFAR10")
    for name in ("model.json", "weights.safetensors"):
        with pytest.raises(an.ConfigError, match=rf"{name} is a file; give its folder, {folder}"):
            an.load_pretrained(folder / name)
    for wrong in (None, b"cifar10", 3):
        with pytest.raises(
            an.ConfigError, match=f"folder of a trained model, or the name of one, got {type(wrong).__name__}"
        ):
            an.load_pretrained(wrong)


def test_a_classifier_says_what_it_is_and_is_made_by_loading_alone(folder):
    assert repr(an.load_pretrained(folder)) == "<ImageClassifier: alexnet_bn, 6 classes, 32 x 32 pixels>"
    with pytest.raises(an.ConfigError, match=r"is made by alexnet_tf.load_pretrained\(FOLDER_OR_NAME\), got str"):
        an.ImageClassifier("cifar10")
