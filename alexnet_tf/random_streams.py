"""Random numbers as a function of (seed, step, position in the batch) and a stream.

The streams that TensorFlow draws are named here. NumPy draws three more in `training.batches`: the order of the images,
which of them are mirrored by turns, and JPEG qualities.

Draw outside of functions that XLA compiles: in TensorFlow 2.21 it makes other numbers of the same seed.
"""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

FC6_DROPOUT, FC7_DROPOUT = 6, 7
ROW_OFFSET, COLUMN_OFFSET, FLIP, COLOUR = 10, 11, 12, 13


@dataclass(frozen=True)
class RandomStreams:
    """The place of a batch's rows in the stream of random numbers: all randomness is a function of these.

    Attributes:
        seed: int32 (2,): the run's seed and the step.
        rows: int32 (N,): positions of the batch's images in the global batch.
        global_batch_size: Images of the global batch, over all replicas.
    """

    seed: tf.Tensor
    rows: tf.Tensor
    global_batch_size: Any  # int, or () int32 where the batch has no fixed size

    def uniform(self, stream: int, shape: tuple[int, ...] = ()) -> tf.Tensor:
        """Return float32 (N, *shape) in [0, 1), each row the same whatever batch or replica asks for it."""
        whole = tf.random.stateless_uniform((self.global_batch_size, *shape), self._key(stream), alg="philox")
        return tf.gather(whole, self.rows)

    def normal(self, stream: int, shape: tuple[int, ...] = ()) -> tf.Tensor:
        """Return float32 (N, *shape) from N(0, 1), each row the same whatever batch or replica asks for it."""
        whole = tf.random.stateless_normal((self.global_batch_size, *shape), self._key(stream), alg="philox")
        return tf.gather(whole, self.rows)

    def _key(self, stream: int) -> tf.Tensor:
        return tf.stack([self.seed[0] * 31 + stream, self.seed[1]])
