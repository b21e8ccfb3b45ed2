"""Runs a trained model over a split: centre crop and ten crops from the same weights, in one pass.

The logits come off the devices; all that follows (softmax, mean over views, counting) is `metrics.top_k`, so the
counts are exact whatever the batch size and the number of replicas.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from alexnet_tf.data.evenly_spaced import evenly_spaced
from alexnet_tf.data.record_dataset import RecordDataset
from alexnet_tf.devices.inference import Inference
from alexnet_tf.metrics.top_k import Predictions, join, score_center, score_views, softmax
from alexnet_tf.models.classifier import Classifier
from alexnet_tf.models.views import center_logits

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue: Rec. 601, as Pillow's mode L


@dataclass(frozen=True)
class Evaluated:
    """What a model says of the N images of a split, in the split's order.

    Attributes:
        predictions: `center` and `ten_crop`.
        top_classes: (N, k) int32, of ten crops the most probable classes, best first, k = min(5, K).
        top_probabilities: (N, k) float32, theirs.
        brightness: (N,) float32, mean luma of the stored image, 0..255.
    """

    predictions: dict[str, Predictions]
    top_classes: np.ndarray
    top_probabilities: np.ndarray
    brightness: np.ndarray


def evaluate(
    classifier: Classifier,
    split: RecordDataset,
    *,
    batch_size: int,
    strategy: tf.distribute.Strategy,
    advance: Callable[[int], None],
) -> Evaluated:
    """Score every image of a split once, in the split's order.

    Args:
        classifier: The model, created within the strategy's scope.
        split: The images and their labels.
        batch_size: Global: images (of ten views each) that are on the devices at once.
        strategy: Divides a batch among its replicas.
        advance: Called with the number of images after each batch.
    """
    batches: dict[str, list[Predictions]] = {"center": [], "ten_crop": []}
    tops, brightness = [], []
    inference = Inference(lambda images: ten_view_logits(classifier, images), strategy=strategy, batch_size=batch_size)
    start = 0
    for logits in inference.logits(split):
        indices = np.arange(start, start + len(logits))
        for name, scored in score_views(logits, split.labels[indices]).items():
            batches[name].append(scored)
        tops.append(top_classes(logits))
        brightness.append(mean_luma(split.read(indices)))
        start += len(logits)
        advance(len(logits))
    return Evaluated(
        predictions={name: join(scored) for name, scored in batches.items()},
        top_classes=np.concatenate([classes for classes, _ in tops]),
        top_probabilities=np.concatenate([probabilities for _, probabilities in tops]),
        brightness=np.concatenate(brightness),
    )


def evaluate_training_images(
    classifier: Classifier,
    split: RecordDataset,
    *,
    num_images: int,
    batch_size: int,
    strategy: tf.distribute.Strategy,
    advance: Callable[[int], None],
) -> Predictions:
    """Score centre crops of training images like test images: with the kept weights, without noise and dropout.

    The error that a training reports is of weights that still change, and of augmented images. The test error less
    this one is the generalization gap.

    Args:
        classifier: The model, created within the strategy's scope.
        split: The training images.
        num_images: How many of them are scored, evenly spread, or all.
        batch_size: Global: images that are on the devices at once.
        strategy: Divides a batch among its replicas.
        advance: Called with the number of images after each batch.
    """
    model, views = classifier.model, classifier.views
    inference = Inference(lambda images: center_logits(model, views, images), strategy=strategy, batch_size=batch_size)
    positions = evenly_spaced(split.num_examples, num_images)

    def batches():
        for logits in inference.logits(split, positions):
            yield logits
            advance(len(logits))

    return join(score_center(batches(), split.labels[positions]))


def ten_view_logits(classifier: Classifier, images: tf.Tensor) -> tf.Tensor:
    """Return the logits (N, 10, K) float32 of the ten views of stored images (N, stored, stored, 3) uint8.

    Views go through the convolutions one after the other, so that the activations of one view, not of ten, are in
    memory; and through the dense layers together, so that their large kernels are read once.
    """
    model, views = classifier.model, classifier.views.ten(images)
    features = tf.map_fn(
        lambda view: model.features(views[:, view]),
        tf.range(10),
        fn_output_signature=model.compute_dtype,
        parallel_iterations=1,
    )
    logits = model.classify(tf.reshape(features, (-1, *features.shape[2:])))
    return tf.transpose(tf.reshape(logits, (10, -1, logits.shape[1])), [1, 0, 2])


def top_classes(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Name the classes that ten crops find most probable (§4.1: the mean of the softmax outputs).

    Args:
        logits: (N, V, K) float32.

    Returns:
        Classes (N, k) int32 and their probabilities (N, k) float32, best first, k = min(5, K); of equal ones
        the lower class number comes first, as in `metrics.top_k`.
    """
    probabilities = softmax(logits).mean(axis=1, dtype=np.float32)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :5]
    return order.astype(np.int32), np.take_along_axis(probabilities, order, axis=1)


def mean_luma(images: np.ndarray) -> np.ndarray:
    """Return the mean brightness (N,) float32, 0..255, of images (N, S, S, 3) uint8."""
    channels = images.mean(axis=(1, 2), dtype=np.float64)
    return (channels @ np.array(LUMA)).astype(np.float32)
