"""Figure 4, right: the training images whose activations in the last hidden layer are nearest to a test image's."""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from alexnet_tf.bundle import Bundle
from alexnet_tf.record_split import RecordSplit

NUM_NEIGHBOURS = 6  # as many as the figure shows


def hidden_activations(bundle: Bundle) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from stored images (n, stored, stored, 3) uint8 to fc7 of their centre crops, (n, D) float32.

    D is 4096 in the paper; the activations are those after ReLU and the dropout's factor.
    """
    side = bundle.stored_size

    def forward(images):
        view = bundle.center_view(bundle.inputs(images))
        return tf.cast(bundle.model.hidden(bundle.model.features(view)), tf.float32)

    compiled = tf.function(forward, input_signature=[tf.TensorSpec([None, side, side, 3], tf.uint8)])
    return lambda images: compiled(tf.constant(images)).numpy()


def spread(num_available: int, num_wanted: int) -> np.ndarray:
    """Return positions 0..num_available-1, evenly spread, each once, `num_wanted` or all; (M,) int64."""
    num = min(num_available, num_wanted)
    return np.arange(num) * num_available // max(num, 1)


def activations(
    forward: Callable[[np.ndarray], np.ndarray], split: RecordSplit, indices: np.ndarray, *, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (positions in the split, activations (n, D)) batch by batch, so that memory does not grow."""
    for start in range(0, len(indices), batch_size):
        chosen = indices[start : start + batch_size]
        yield chosen, forward(split.read(chosen))


def nearest(
    queries: np.ndarray, batches: Iterator[tuple[np.ndarray, np.ndarray]], *, count: int = NUM_NEIGHBOURS
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest neighbours by Euclidean distance (§6), of equal distances the first met.

    Args:
        queries: (Q, D) float32.
        batches: (positions (n,), activations (n, D)).
        count: How many; fewer are returned where there are no more.

    Returns:
        Positions (Q, count) int64 and distances (Q, count) float64, nearest first.
    """
    positions = np.empty((len(queries), 0), np.int64)
    distances = np.empty((len(queries), 0), np.float64)
    for chosen, found in batches:
        # Differences, not |q|² + |f|² - 2qf: equal images must come out at exactly 0.
        apart = np.stack([np.linalg.norm(found.astype(np.float64) - query, axis=1) for query in queries])
        positions = np.concatenate([positions, np.broadcast_to(chosen, apart.shape)], axis=1)
        distances = np.concatenate([distances, apart], axis=1)
        order = np.argsort(distances, axis=1, kind="stable")[:, :count]
        positions = np.take_along_axis(positions, order, axis=1)
        distances = np.take_along_axis(distances, order, axis=1)
    return positions, distances
