"""Training batches by number: batch n of a run is a pure function of (seed, n), so nothing needs saving."""

import atexit
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import tensorflow as tf

from alexnet_tf.data.record_dataset import RecordDataset
from alexnet_tf.errors import DataError
from alexnet_tf.models.specs import AugmentationSpec
from alexnet_tf.training.jpeg import resaved


class _Calls:
    """Calls of TensorFlow's threads into Python, which have to be over when the interpreter ends.

    At shutdown the interpreter no longer hands out its lock: a thread that asks for it hangs, and freeing an iterator
    that waits for that thread blocks forever.
    """

    _QUIET_SECONDS = 0.2  # without a call: the buffers of all iterators are full

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running, self._last, self._closed = 0, float("-inf"), False

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a call for as long as the context lasts."""
        with self._changed:
            self._running += 1
        try:
            if self._closed:
                raise RuntimeError("there are no more batches, as the interpreter ends")
            yield
        finally:
            with self._changed:
                self._running, self._last = self._running - 1, time.monotonic()
                self._changed.notify_all()

    def close(self) -> None:
        """Wait for the running calls, and let others fail."""
        self._closed = True
        with self._changed:
            while self._running or time.monotonic() < self._last + self._QUIET_SECONDS:
                self._changed.wait(self._QUIET_SECONDS)


_CALLS = _Calls()
atexit.register(_CALLS.close)


@dataclass(frozen=True)
class Batches:
    """The order in which a split is seen: a new permutation every epoch, the last incomplete batch dropped.

    Attributes:
        split: The images.
        global_batch_size: Images of a step, over all replicas.
        seed: Fixes the order.
        parallel_calls: Batches that are read at once; it changes how fast they come, not their order or content.
        augmentation: Of it, what is done to the stored images: how many are saved as JPEG, and in which quality.
        failures: What went wrong in reading; TensorFlow tells of it as an `UnknownError` without a type.
    """

    split: RecordDataset
    global_batch_size: int
    seed: int
    parallel_calls: int
    augmentation: AugmentationSpec = field(default_factory=AugmentationSpec)
    failures: list[Exception] = field(default_factory=list, compare=False, repr=False)

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in the split."""
        return self.split.num_examples // self.global_batch_size

    def indices(self, step: int) -> np.ndarray:
        """Return the positions in the split of the images of a step, int64 (global_batch_size,)."""
        epoch, batch = divmod(step, self.steps_per_epoch)
        start = batch * self.global_batch_size
        return _permutation(self.seed, epoch, self.split.num_examples)[start : start + self.global_batch_size]

    def mirrored(self, step: int) -> np.ndarray:
        """Return which images of a step `flip: alternating` mirrors, bool (global_batch_size,).

        In the first epoch each image with probability 1/2, in every later one the other way round than before: two
        successive epochs that show an image show both its sides, where independent draws repeat half of them
        (Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024).
        """
        epoch = step // self.steps_per_epoch
        return _coins(self.seed, self.split.num_examples)[self.indices(step)] ^ bool(epoch % 2)

    def jpeg_qualities(self, step: int) -> np.ndarray:
        """Return in which quality each image of a step is saved as JPEG, int32 (global_batch_size,), 0 for not at all.

        Each image is drawn anew at each step, by its place in the global batch.
        """
        lowest, highest = self.augmentation.jpeg_quality
        draw = np.random.Generator(np.random.Philox(np.random.SeedSequence((self.seed, step, _JPEG))))
        chosen = draw.random(self.global_batch_size) < self.augmentation.jpeg_share
        return np.where(chosen, draw.integers(lowest, highest, self.global_batch_size, np.int32, endpoint=True), 0)

    def dataset(self, strategy: tf.distribute.Strategy, first_step: int, last_step: int):
        """Return a distributed dataset of steps [first, last): (images uint8, labels int32, rows int32, mirrored bool).

        `rows` are the positions of a replica's images in the global batch.
        """
        shape = (self.split.stored_size, self.split.stored_size, 3)

        def pipeline(context: tf.distribute.InputContext) -> tf.data.Dataset:
            size = context.get_per_replica_batch_size(self.global_batch_size)
            replicas = context.num_replicas_in_sync
            here = replicas // context.num_input_pipelines
            first_replica = context.input_pipeline_id * here

            def place(number):
                step, replica = divmod(int(number), here)
                return first_step + step, np.arange(size, dtype=np.int32) + (first_replica + replica) * size

            @_CALLS.counted()
            def read(number):
                step, rows = place(number)
                indices, mirrored = self.indices(step)[rows], self.mirrored(step)[rows]
                try:
                    images = self.split.read(indices)
                except (DataError, OSError) as error:
                    self.failures.append(error)
                    raise
                return images, self.split.labels[indices], rows, mirrored

            @_CALLS.counted()
            def qualities(number):
                step, rows = place(number)
                return self.jpeg_qualities(step)[rows]

            def load(number):
                images, *others = tf.numpy_function(read, [number], (tf.uint8, tf.int32, tf.int32, tf.bool))
                images = tf.ensure_shape(images, (size, *shape))
                if self.augmentation.jpeg_share:
                    images = resaved(images, tf.numpy_function(qualities, [number], tf.int32))
                return images, *(tf.ensure_shape(other, (size,)) for other in others)

            options = tf.data.Options()
            options.deterministic = True
            # Its thread sleeps for up to a minute, and an iterator that is thrown away waits for it.
            options.autotune.enabled = False
            numbers = tf.data.Dataset.range((last_step - first_step) * here)
            return numbers.map(load, num_parallel_calls=self.parallel_calls).prefetch(2).with_options(options)

        return strategy.distribute_datasets_from_function(pipeline, _input_options(strategy))


def _input_options(strategy: tf.distribute.Strategy) -> tf.distribute.InputOptions:
    """Give each replica a pipeline of its own where there is no device to fetch to, only processors of one process.

    Fetching puts a data set of TensorFlow's own in between, which is tuned whatever the options here: now and then the
    end of a training waits for that thread, up to a minute.
    """
    if isinstance(strategy, tf.distribute.MirroredStrategy) and all(
        "CPU" in device for device in strategy.extended.worker_devices
    ):
        mode = tf.distribute.InputReplicationMode.PER_REPLICA
        return tf.distribute.InputOptions(experimental_replication_mode=mode, experimental_fetch_to_device=False)
    return tf.distribute.InputOptions()


# A third number in the seed keeps draws apart from each other and from the permutations, which have none.
_MIRRORED, _JPEG = 1, 2


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, length: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch)))).permutation(length)


@lru_cache(maxsize=4)
def _coins(seed: int, length: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, 0, _MIRRORED)))).random(length) < 0.5
