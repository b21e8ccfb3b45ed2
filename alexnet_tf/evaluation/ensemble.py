"""Averages what several networks say of a split (§6: five and seven networks)."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from alexnet_tf.data.record_dataset import RecordDataset
from alexnet_tf.devices.inference import Inference
from alexnet_tf.evaluation.evaluate import ten_view_logits
from alexnet_tf.metrics.top_k import Predictions, join, score_views
from alexnet_tf.models.classifier import Classifier


def evaluate_together(
    classifiers: Sequence[Classifier],
    split: RecordDataset,
    *,
    batch_size: int,
    strategy: tf.distribute.Strategy,
    advance: Callable[[int], None],
) -> tuple[list[Predictions], Predictions]:
    """Score ten crops of every image by each network, and by the mean of their probabilities.

    Args:
        classifiers: M >= 1 models, created within the strategy's scope.
        split: The images and their labels.
        batch_size: Global: images (of ten views each) that are on the devices at once.
        strategy: Divides a batch among its replicas.
        advance: Called with the number of images after each batch.

    Returns:
        The predictions of each network, and those of all together.

    Raises:
        TrainingError: A logit is not finite.
        DataError: A model was trained on other classes or sizes than the split's, or a record cannot be read.
    """
    for classifier in classifiers:
        classifier.require_trained_on(split)
    streams = [
        Inference(
            lambda images, classifier=classifier: ten_view_logits(classifier, images),
            strategy=strategy,
            batch_size=batch_size,
        ).logits(split)
        for classifier in classifiers
    ]
    each: list[list[Predictions]] = [[] for _ in classifiers]
    together: list[Predictions] = []
    start = 0
    for logits in zip(*streams, strict=True):
        labels = split.labels[start : start + len(logits[0])]
        for scored, own in zip(each, logits, strict=True):
            scored.append(score_views(own, labels)["ten_crop"])
        together.append(average(logits, labels))
        start += len(labels)
        advance(len(labels))
    return [join(scored) for scored in each], join(together)


def average(logits: Sequence[np.ndarray], labels: np.ndarray) -> Predictions:
    """Score the mean of several networks' probabilities, each of which is the mean over its ten crops.

    All weigh the same, as §6 says no other; the 2012 code tunes weights on the validation set (avg-valid.py).

    Args:
        logits: Of M networks (N, 10, K) float32.
        labels: (N,) int, 0..K-1.

    Raises:
        TrainingError: A logit is not finite.
    """
    # The mean over M means of ten views each is that over 10 M views.
    return score_views(np.concatenate(logits, axis=1), labels)["ten_crop"]
