"""Figure 4, right: the training images whose activations in the last hidden layer are nearest to a test image's.

§6.1 has it that they look alike although their pixels are not close. What can be counted of that is how many of the
neighbours are of the same class, beside how many of those that pixels alone would find.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from alexnet_tf.data.evenly_spaced import evenly_spaced
from alexnet_tf.data.record_dataset import RecordDataset
from alexnet_tf.models.classifier import Classifier

NUM_NEIGHBOURS = 6  # as many as the figure shows
NUM_COUNTED = 200  # test images whose neighbours' classes are counted


def hidden_activations(classifier: Classifier) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from stored images (n, stored, stored, 3) uint8 to fc7 of their centre crops, (n, D) float32.

    D is 4096 in the paper; the activations are those after ReLU and the dropout's factor.
    """
    side = classifier.stored_size

    def forward(images):
        features = classifier.model.features(classifier.views.center(images))
        return tf.cast(classifier.model.hidden(features), tf.float32)

    compiled = tf.function(forward, autograph=False, input_signature=[tf.TensorSpec([None, side, side, 3], tf.uint8)])
    return lambda images: compiled(tf.constant(images)).numpy()


class Nearest:
    """The nearest neighbours of queries by Euclidean distance (§6.1), of equal distances the first met.

    Candidates come batch by batch, so that memory does not grow with their number.

    Args:
        queries: (Q, D) float32.
        distance: `by_differences` or `by_products`.
        count: How many neighbours are kept; there are fewer while fewer candidates came.

    Attributes:
        positions: (Q, count) int64, nearest first.
        distances: (Q, count) float64, like `positions`.
    """

    def __init__(
        self,
        queries: np.ndarray,
        *,
        distance: Callable[[np.ndarray, np.ndarray], np.ndarray],
        count: int = NUM_NEIGHBOURS,
    ):
        self._queries, self._distance, self._count = queries, distance, count
        self.positions = np.empty((len(queries), 0), np.int64)
        self.distances = np.empty((len(queries), 0), np.float64)

    def add(self, positions: np.ndarray, candidates: np.ndarray) -> None:
        """Look at candidates (n, D) float32, which are at `positions` (n,) of their split."""
        found = self._distance(self._queries, candidates)
        positions = np.concatenate([self.positions, np.broadcast_to(positions, found.shape)], axis=1)
        distances = np.concatenate([self.distances, found], axis=1)
        order = np.argsort(distances, axis=1, kind="stable")[:, : self._count]
        self.positions = np.take_along_axis(positions, order, axis=1)
        self.distances = np.take_along_axis(distances, order, axis=1)


def by_differences(queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Return distances (Q, n) float64, exactly 0 and exactly equal where images are equal."""
    return np.stack([np.linalg.norm(candidates.astype(np.float64) - query, axis=1) for query in queries])


def by_products(queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Return distances (Q, n) float64 to rounding, for many queries: √(|q|² + |f|² - 2 q·f) by one matrix product."""
    squares = [np.einsum("nd,nd->n", each, each, dtype=np.float64) for each in (queries, candidates)]
    return np.sqrt(np.maximum(squares[0][:, None] + squares[1] - 2.0 * (queries @ candidates.T), 0.0))


def same_class_share(found: Nearest, labels: np.ndarray, pool_labels: np.ndarray) -> float:
    """Return the share of all neighbours that are of their query's class, in [0, 1].

    Args:
        found: Neighbours of Q queries, at least one of each.
        labels: (Q,) int, the queries'.
        pool_labels: (N,) int, of the split that the neighbours' positions are of.
    """
    return float(np.mean(pool_labels[found.positions] == labels[:, None]))


@dataclass(frozen=True)
class Neighbourhood:
    """The training images that are nearest to test images.

    Attributes:
        pool: The training images that the neighbours are of.
        shown: Neighbours in the last hidden layer of the images that figure 4 shows.
        metrics: `same_class_last_hidden` and `same_class_pixels`: of the six neighbours that either distance finds, the
            share of the query's class, in [0, 1]; `num_queries` and `num_candidates`, whose neighbours were looked for
            and among how many.
    """

    pool: RecordDataset
    shown: Nearest
    metrics: dict[str, float]


def search(
    classifier: Classifier,
    split: RecordDataset,
    pool: RecordDataset,
    *,
    shown: np.ndarray,
    num_candidates: int,
    batch_size: int,
    advance: Callable[[int], None],
) -> Neighbourhood:
    """Search training images for the neighbours of test images, reading and looking at each candidate once.

    Args:
        classifier: The model.
        split: The test images, of which there is at least one.
        pool: The training images, of which there is at least one.
        shown: Positions in `split` of the images for the figure.
        num_candidates: How many of `pool` are searched, evenly spread; at least 1.
        batch_size: Candidates that are in memory at once, beside up to 200 queries as float32 pixels.
        advance: Called with the number of candidates after each batch.
    """
    forward = hidden_activations(classifier)
    queries = evenly_spaced(split.num_examples, NUM_COUNTED)
    candidates = evenly_spaced(pool.num_examples, num_candidates)
    images = split.read(queries)
    hidden = np.concatenate(
        [forward(images[start : start + batch_size]) for start in range(0, len(images), batch_size)]
    )
    figure = Nearest(forward(split.read(shown)), distance=by_differences)
    nearest = {
        "last_hidden": Nearest(hidden, distance=by_products),
        "pixels": Nearest(_pixels(images), distance=by_products),
    }
    for start in range(0, len(candidates), batch_size):
        positions = candidates[start : start + batch_size]
        images = pool.read(positions)
        hidden = forward(images)
        figure.add(positions, hidden)
        nearest["last_hidden"].add(positions, hidden)
        nearest["pixels"].add(positions, _pixels(images))
        advance(len(positions))
    labels = split.labels[queries]
    shares = {f"same_class_{name}": same_class_share(found, labels, pool.labels) for name, found in nearest.items()}
    return Neighbourhood(pool, figure, shares | {"num_queries": len(queries), "num_candidates": len(candidates)})


def _pixels(images: np.ndarray) -> np.ndarray:
    """Flatten stored images to (n, D) float32, around 0 so that products round less."""
    return np.subtract(images.reshape(len(images), -1), 127.5, dtype=np.float32)
