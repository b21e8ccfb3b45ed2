"""Untrained models that answer in milliseconds, and images for them."""

import numpy as np

import alexnet_tf as an
from alexnet_tf.models.classifier import Classifier
from alexnet_tf.models.networks import build
from alexnet_tf.models.views import Views
from tests.alexnet_tf.small_training import alexnet, alexnet_bn, input_spec

CLASSES = ("ash", "birch", "cedar", "elm", "fir", "gum")


def classifier_of_six(*, faithful: bool, seed: int = 2) -> Classifier:
    """Crops of 63 (faithful) or 32 pixels from images of 16 pixels, enlarged to 80 or 48."""
    crop, size = (63, 80) if faithful else (32, 48)
    few = {"filters": [4] * 5, "dense_units": [8, 8]}
    spec = alexnet(**few, weight_stddev=[0.1] * 8, bias=[0.0] * 8) if faithful else alexnet_bn(**few)
    views = Views(input_spec(crop_size=crop, divide_by=64.0), 16, size, np.float32([90, 100, 110]))
    return Classifier(build(spec, crop_size=crop, num_classes=6, seed=seed), views, CLASSES, "float32")


def small(seed=0, **changes):
    """The paper's network with few kernels, large enough weights to answer, and 400 units in fc6 and fc7."""
    spec = {"filters": [8, 16, 16, 16, 16], "dense_units": [400, 400], "weight_stddev": [0.1] * 8} | changes
    return an.build(an.AlexNetSpec(**spec), crop_size=63, num_classes=5, seed=seed)


def small_bn(seed=0, **changes):
    """The optimized network with few kernels, and 64 units in fc6 and fc7."""
    spec = {"filters": [8] * 5, "dense_units": [64, 64], "dropout": 0.5} | changes
    return an.build(an.AlexNetBNSpec(**spec), crop_size=63, num_classes=5, seed=seed)


def striped_images(count=16, side=63):
    """Each of five classes is a bright stripe at its own place, on noise; centred."""
    pixels = np.random.default_rng(0).integers(0, 60, (count, side, side, 3)).astype(np.float32)
    labels = np.arange(count) % 5
    for image, label in zip(pixels, labels, strict=True):
        image[:, label * 12 : label * 12 + 12] += 190
    return pixels - pixels.mean(axis=(0, 1, 2)), labels
