"""What an answer rests on: how its probability falls when a square of the image is hidden.

After Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks" (2014), section 4.2. It shows what the
network does, by forward passes alone, where a gradient shows how it would react to changes too small to see.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from alexnet_tf.metrics.top_k import softmax
from alexnet_tf.models.classifier import Classifier

PLACES = 7  # of the square, across and down
SQUARE = 4  # the square's side is this part of the crop's
_DARKEST = 0.2


@dataclass(frozen=True)
class Occlusion:
    """What hiding parts of N images did to the most probable class of their centre crops.

    Attributes:
        classes: (N,) int64, that class.
        probabilities: (N,) float32, its probability with nothing hidden.
        lowest: (N,) float32, the lowest that it has with a square hidden.
        pictures: (N, crop, crop, 3) uint8, the crops, dark but for where hiding lowers the probability: as bright as
            ever where it does most.
    """

    classes: np.ndarray
    probabilities: np.ndarray
    lowest: np.ndarray
    pictures: np.ndarray


def occlusion(classifier: Classifier, images: np.ndarray) -> Occlusion:
    """Hide a square of each image's centre crop behind the training images' mean, at 7 x 7 places.

    Args:
        classifier: The model.
        images: (N, stored, stored, 3) uint8, at least one; each costs 50 views.
    """
    views = classifier.views.center(tf.constant(images)).numpy()
    hidden = _hidden(classifier.crop_size)
    kept = np.concatenate([np.zeros_like(hidden[:1]), hidden]) == 0  # first the whole crop
    forward = classifier.compiled()
    found = [softmax(forward(tf.constant(view * kept[..., None])).numpy()) for view in views]
    classes = np.array([probabilities[0].argmax() for probabilities in found])
    named = np.stack([probabilities[:, k] for probabilities, k in zip(found, classes, strict=True)])
    crops = views * classifier.views.spec.divide_by + classifier.views.mean
    falls = np.maximum(named[:, :1] - named[:, 1:], 0)
    return Occlusion(classes, named[:, 0], named[:, 1:].min(axis=1), _darkened(crops, falls, hidden))


def _hidden(crop: int) -> np.ndarray:
    """Return what each square hides: (49, crop, crop) bool."""
    side = max(1, round(crop / SQUARE))
    starts = np.linspace(0, crop - side, PLACES).round().astype(int)
    hidden = np.zeros((PLACES**2, crop, crop), bool)
    for index, (top, left) in enumerate((top, left) for top in starts for left in starts):
        hidden[index, top : top + side, left : left + side] = True
    return hidden


def _darkened(crops: np.ndarray, falls: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Darken crops (N, crop, crop, 3), 0..255, where the squares over a pixel lower the probability little."""
    weights = hidden.reshape(len(hidden), -1).astype(np.float64)
    heat = (falls @ weights / weights.sum(axis=0)).reshape(crops.shape[:3])
    most = heat.max(axis=(1, 2), keepdims=True)
    share = np.divide(heat, most, out=np.zeros_like(heat), where=most > 0)
    return np.clip(np.round(crops * (_DARKEST + (1 - _DARKEST) * share[..., None])), 0, 255).astype(np.uint8)
