"""Training batches by number: batch n of a run is a pure function of (seed, n), so nothing needs saving."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import tensorflow as tf

from alexnet_tf.record_split import RecordSplit


@dataclass(frozen=True)
class Batches:
    """The order in which a split is seen: a new permutation every epoch, the last incomplete batch dropped.

    Attributes:
        split: The images.
        global_batch_size: Images of a step, over all replicas.
        seed: Fixes the order.
    """

    split: RecordSplit
    global_batch_size: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in the split."""
        return self.split.num_examples // self.global_batch_size

    def indices(self, step: int) -> np.ndarray:
        """Return the positions in the split of the images of a step, int64 (global_batch_size,)."""
        epoch, batch = divmod(step, self.steps_per_epoch)
        start = batch * self.global_batch_size
        return _permutation(self.seed, epoch, self.split.num_examples)[start : start + self.global_batch_size]

    def dataset(self, strategy: tf.distribute.Strategy, first_step: int, last_step: int):
        """Return a distributed dataset of (images uint8, labels int32, rows int32) for steps [first, last).

        `rows` are the positions of a replica's images in the global batch.
        """
        shape = (self.split.stored_size, self.split.stored_size, 3)

        def per_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
            size = context.get_per_replica_batch_size(self.global_batch_size)
            replicas = context.num_replicas_in_sync
            here = replicas // context.num_input_pipelines
            first_replica = context.input_pipeline_id * here

            def read(number):
                step, replica = divmod(int(number), here)
                rows = np.arange(size, dtype=np.int32) + (first_replica + replica) * size
                indices = self.indices(first_step + step)[rows]
                return self.split.read(indices), self.split.labels[indices], rows

            def load(number):
                images, labels, rows = tf.numpy_function(read, [number], (tf.uint8, tf.int32, tf.int32))
                return (
                    tf.ensure_shape(images, (size, *shape)),
                    tf.ensure_shape(labels, (size,)),
                    tf.ensure_shape(rows, (size,)),
                )

            options = tf.data.Options()
            options.deterministic = True
            numbers = tf.data.Dataset.range((last_step - first_step) * here)
            return numbers.map(load, num_parallel_calls=2).prefetch(2).with_options(options)

        return strategy.distribute_datasets_from_function(per_worker)


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, length: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch)))).permutation(length)
