"""Untrained models of six classes that answer in milliseconds."""

import numpy as np

from alexnet_tf.models.classifier import Classifier
from alexnet_tf.models.networks import build
from alexnet_tf.models.views import Views
from tests.alexnet_tf.small_training import alexnet, alexnet_bn, input_spec

CLASSES = ("ash", "birch", "cedar", "elm", "fir", "gum")


def classifier_of_six(*, faithful: bool, seed: int = 2) -> Classifier:
    """Crops of 63 (faithful) or 32 pixels from images of 16 pixels, enlarged to 80 or 48."""
    crop, size = (63, 80) if faithful else (32, 48)
    small = {"filters": [4] * 5, "dense_units": [8, 8]}
    spec = alexnet(**small, weight_stddev=[0.1] * 8, bias=[0.0] * 8) if faithful else alexnet_bn(**small)
    views = Views(input_spec(crop_size=crop, divide_by=64.0), 16, size, np.float32([90, 100, 110]))
    return Classifier(build(spec, crop_size=crop, num_classes=6, seed=seed), views, CLASSES, "float32")
