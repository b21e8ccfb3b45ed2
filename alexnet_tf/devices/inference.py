"""Runs a network over a split on all replicas and gives back the logits on the host, each image once."""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from alexnet_tf.data.record_dataset import RecordDataset
from alexnet_tf.errors import AlexNetError


class Inference:
    """A compiled forward pass over batches of stored images.

    Of several workers each runs the whole split on its own devices, so that every one knows every result.

    Args:
        forward: (n, stored, stored, 3) uint8 -> (n, V, K) float32 logits of V views.
        strategy: Divides a batch among its replicas.
        batch_size: Images that are on the devices at once, at most; rounded up to a multiple of the replicas.
    """

    def __init__(self, forward: Callable, *, strategy: tf.distribute.Strategy, batch_size: int):
        self._strategy = strategy
        self._num_replicas = len(strategy.extended.worker_devices)
        self._per_replica = -(-batch_size // self._num_replicas)
        self._step = tf.function(lambda images: strategy.run(forward, args=(images,)), autograph=False)

    def logits(self, split: RecordDataset, positions: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Yield the logits (n, V, K) float32 of a split in its order, the last batch perhaps smaller.

        Batches are as equal as they can be, since all take the time of a whole one: the last is filled up with its
        first image, and the filling's logits are dropped here.

        Args:
            split: The images.
            positions: Those to look at, int (N,), in this order; all by default.

        Raises:
            AlexNetError: A device has too little memory for its share of a batch.
        """
        positions = np.arange(split.num_examples) if positions is None else positions
        if len(positions) == 0:
            return
        num_batches = -(-len(positions) // (self._per_replica * self._num_replicas))
        size = -(-len(positions) // (num_batches * self._num_replicas)) * self._num_replicas
        for start in range(0, len(positions), size):
            indices = positions[start : start + size]
            padded = np.full(size, indices[0])
            padded[: len(indices)] = indices
            images = np.split(split.read(padded), self._num_replicas)
            shared = self._strategy.experimental_distribute_values_from_function(
                lambda context, images=images: tf.constant(
                    images[context.replica_id_in_sync_group % self._num_replicas]
                )
            )
            try:
                replicas = self._strategy.experimental_local_results(self._step(shared))
                logits = np.concatenate([each.numpy() for each in replicas])
            except tf.errors.ResourceExhaustedError as error:
                raise AlexNetError(
                    f"too little memory for {size} images at once on {self._num_replicas} device(s); take a smaller "
                    "evaluation.batch_size, or in training a smaller training.global_batch_size"
                ) from error
            yield logits[: len(indices)]
