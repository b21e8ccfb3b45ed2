"""Runs a trained model over a split: centre crop and ten crops from the same weights, in one pass.

The logits come off the devices; all that follows (softmax, mean over views, counting) is `scoring`, so the
counts are exact whatever the batch size and the number of replicas.
"""

from collections.abc import Callable

import tensorflow as tf

from alexnet_tf.bundle import Bundle
from alexnet_tf.inference import Inference
from alexnet_tf.record_split import RecordSplit
from alexnet_tf.scoring import Predictions, join, score_views


def evaluate(
    bundle: Bundle,
    split: RecordSplit,
    *,
    batch_size: int,
    strategy: tf.distribute.Strategy,
    advance: Callable[[int], None],
) -> dict[str, Predictions]:
    """Score every image of a split once, in the split's order.

    Args:
        bundle: The model, created within the strategy's scope.
        split: The images and their labels.
        batch_size: Global: images (of ten views each) that are on the devices at once.
        strategy: Divides a batch among its replicas.
        advance: Called with the number of images after each batch.

    Returns:
        `center` and `ten_crop` over all N images.
    """
    batches: dict[str, list[Predictions]] = {"center": [], "ten_crop": []}
    inference = Inference(lambda images: ten_view_logits(bundle, images), strategy=strategy, batch_size=batch_size)
    start = 0
    for logits in inference.logits(split):
        for name, scored in score_views(logits, split.labels[start : start + len(logits)]).items():
            batches[name].append(scored)
        start += len(logits)
        advance(len(logits))
    return {name: join(scored) for name, scored in batches.items()}


def ten_view_logits(bundle: Bundle, images: tf.Tensor) -> tf.Tensor:
    """Return the logits (N, 10, K) float32 of the ten views of stored images (N, stored, stored, 3) uint8.

    Views go through the network one after the other, so that the activations of one view, not of ten, are in
    memory.
    """
    views = bundle.ten_views(bundle.inputs(images))
    logits = tf.map_fn(
        lambda view: bundle.model(views[:, view], training=False),
        tf.range(10),
        fn_output_signature=tf.float32,
        parallel_iterations=1,
    )
    return tf.transpose(logits, [1, 0, 2])
