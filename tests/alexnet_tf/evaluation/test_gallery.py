import io
from types import SimpleNamespace

import numpy as np
from PIL import Image

from alexnet_tf.evaluation import figures, gallery
from alexnet_tf.evaluation.evaluate import Evaluated, mean_luma, top_classes
from alexnet_tf.metrics.calibration import Bin
from alexnet_tf.metrics.top_k import score_views, softmax


def evaluated(losses, num_classes=6):
    """Images of class n % 6 with the given losses."""
    losses = np.asarray(losses, np.float64)
    labels = np.arange(len(losses)) % num_classes
    predictions = SimpleNamespace(losses=losses)
    tops = np.tile(np.arange(5, dtype=np.int32), (len(losses), 1))
    return Evaluated({"ten_crop": predictions}, tops, np.full(tops.shape, 0.2, np.float32), losses), labels


def test_best_are_of_different_classes_and_worst_are_the_worst():
    losses = np.arange(24)[::-1] / 10  # the last image is the surest
    found, labels = evaluated(losses)
    chosen = gallery.choose(found, labels)
    np.testing.assert_array_equal(chosen["worst"], range(8))
    np.testing.assert_array_equal(chosen["best"], [23, 22, 21, 20, 19, 18])
    np.testing.assert_array_equal(chosen["unselected"], range(0, 24, 3))


def test_queries_are_of_five_classes_or_of_all():
    labels = np.arange(40) % 20
    asked = gallery.queries(labels)
    assert len(set(labels[asked])) == 5
    assert len(gallery.queries(np.array([3, 3, 1]))) == 2


def test_top_classes_is_the_order_of_the_mean_probabilities():
    logits = np.random.default_rng(0).normal(size=(20, 10, 7)).astype(np.float32)
    classes, probabilities = top_classes(logits)
    mean = softmax(logits).mean(axis=1, dtype=np.float32)
    np.testing.assert_array_equal(probabilities, -np.sort(-mean, axis=1)[:, :5])
    np.testing.assert_array_equal(np.take_along_axis(mean, classes, axis=1), probabilities)
    scored = score_views(logits, np.zeros(20, int))["ten_crop"]
    np.testing.assert_array_equal(classes[:, 0], scored.classes)
    np.testing.assert_array_equal(probabilities[:, 0], scored.probabilities)
    tied, _ = top_classes(np.zeros((1, 10, 3), np.float32))
    np.testing.assert_array_equal(tied, [[0, 1, 2]])


def test_brightness_is_pillows_luma():
    images = np.random.default_rng(1).integers(0, 256, (4, 9, 9, 3), dtype=np.uint8)
    luma = [np.asarray(Image.fromarray(image).convert("L"), float).mean() for image in images]
    np.testing.assert_allclose(mean_luma(images), luma, atol=0.5)  # Pillow rounds each pixel
    assert mean_luma(np.full((1, 4, 4, 3), 255, np.uint8))[0] == 255


def described(num, label="ash"):
    top = [{"class": name, "probability": p} for name, p in zip("abcd", (0.5, 0.3, 0.1, 0.1), strict=True)]
    return [{"key": "k", "label": label, "top": [{"class": "ash", "probability": 0.6}, *top]}] * num


def red_pixels(png):
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    return np.count_nonzero((np.abs(pixels - [0xC4, 0x4E, 0x52]) < 3).all(axis=-1))


def test_the_correct_labels_bar_is_red_and_no_other():
    images = np.full((3, 12, 12, 3), 255, np.uint8)
    right = red_pixels(figures.top_five(images, described(3)))
    one = red_pixels(figures.top_five(images[:1], described(1)))
    assert right > 2.9 * one > 1000
    assert red_pixels(figures.top_five(images, described(3, "none of them"))) == 0


def test_figures_take_any_name():
    images = np.zeros((2, 8, 8, 3), np.uint8)
    wild = described(2, r"price $x^ in_{ \frac & a very long name of a class")
    assert figures.top_five(images, wild).startswith(b"\x89PNG")
    entry = {"key": "q", "label": "a$", "neighbours": [{"key": "n", "label": "b$^", "distance": 1.0}] * 2}
    assert figures.neighbours(images[:1], [images], [entry]).startswith(b"\x89PNG")
    bins = {"ten crops": [Bin(0, 0.5, 3, 0.4, 0.1), Bin(0.5, 1, 1, 0.9, 0.9)]}
    assert figures.reliability_diagram(bins, {"ten crops": 0.2}).startswith(b"\x89PNG")
