"""Runs a trained model over a split: centre crop and ten crops from the same weights, in one pass.

The logits come off the devices; all that follows (softmax, mean over views, counting) is `scoring`, so the
counts are exact whatever the batch size and the number of replicas.
"""

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from alexnet_tf.scoring import Predictions, join, score_views

if TYPE_CHECKING:  # TensorFlow takes seconds to import
    import tensorflow as tf

    from alexnet_tf.bundle import Bundle
    from alexnet_tf.record_split import RecordSplit


def evaluate(
    bundle: "Bundle",
    split: "RecordSplit",
    *,
    batch_size: int,
    strategy: "tf.distribute.Strategy",
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
    labels = np.asarray(split.labels)
    start = 0
    for logits in ten_view_logits(bundle, split, batch_size=batch_size, strategy=strategy):
        for name, scored in score_views(logits, labels[start : start + len(logits)]).items():
            batches[name].append(scored)
        start += len(logits)
        advance(len(logits))
    return {name: join(scored) for name, scored in batches.items()}


def ten_view_logits(
    bundle: "Bundle", split: "RecordSplit", *, batch_size: int, strategy: "tf.distribute.Strategy"
) -> Iterator[np.ndarray]:
    """Yield the logits (n, 10, K) float32 of a split, n images at a time, the last batch perhaps smaller.

    Each replica gets an equal share of a batch that is padded at the end with its first image; the padding's
    logits are dropped here, before anything is counted. Views go through the network one after the other, which
    keeps the activations of one view, not of ten, in memory.
    """
    import tensorflow as tf

    num_replicas = strategy.num_replicas_in_sync
    per_replica = math.ceil(batch_size / num_replicas)

    def forward(images):
        views = bundle.ten_views(bundle.inputs(images))
        logits = tf.map_fn(
            lambda view: tf.cast(bundle.model(views[:, view], training=False), tf.float32),
            tf.range(10),
            fn_output_signature=tf.float32,
            parallel_iterations=1,
        )
        return tf.transpose(logits, [1, 0, 2])

    @tf.function
    def step(images):
        return strategy.run(forward, args=(images,))

    global_size = per_replica * num_replicas
    for start in range(0, split.num_examples, global_size):
        indices = np.arange(start, min(start + global_size, split.num_examples))
        padded = np.full(global_size, start)
        padded[: len(indices)] = indices
        images = np.split(split.read(padded), num_replicas)
        shared = strategy.experimental_distribute_values_from_function(
            lambda context, images=images: tf.constant(images[context.replica_id_in_sync_group])
        )
        replicas = strategy.experimental_local_results(step(shared))
        yield np.concatenate([logits.numpy() for logits in replicas])[: len(indices)]
