import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet_tf.data.evenly_spaced import evenly_spaced
from alexnet_tf.evaluation.neighbours import (
    Nearest,
    by_differences,
    by_products,
    hidden_activations,
    same_class_share,
    search,
)


def nearest(queries, features, *, size, distance=by_differences, count=6):
    found = Nearest(queries, distance=distance, count=count)
    for start in range(0, len(features), size):
        found.add(np.arange(start, min(start + size, len(features))), features[start : start + size])
    return found


@pytest.mark.parametrize("distance", [by_differences, by_products])
def test_distances_by_hand(distance):
    features = np.array([[3.0, 4.0], [0.0, 1.0], [6.0, 8.0]], np.float32)
    found = nearest(np.zeros((1, 2), np.float32), features, size=2, distance=distance, count=2)
    np.testing.assert_array_equal(found.positions, [[1, 0]])
    np.testing.assert_array_equal(found.distances, [[1, 5]])


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 1000))
def test_batches_change_nothing_and_a_full_sort_agrees(num, size, seed):
    rng = np.random.default_rng(seed)
    features = rng.integers(-2, 3, (num, 3)).astype(np.float32)  # few values, so that ties occur
    queries = rng.integers(-2, 3, (4, 3)).astype(np.float32)
    apart = np.sqrt(((queries[:, None] - features[None]) ** 2).sum(axis=2, dtype=np.float64))
    order = np.argsort(apart, axis=1, kind="stable")[:, :6]
    for way in (by_differences, by_products):  # whole numbers, which both have exactly
        found = nearest(queries, features, size=size, distance=way)
        np.testing.assert_array_equal(found.positions, order)
        np.testing.assert_allclose(found.distances, np.take_along_axis(apart, order, axis=1))


def test_an_image_is_its_own_nearest_neighbour_at_exactly_zero():
    features = np.random.default_rng(0).normal(1000, 1, (50, 64)).astype(np.float32)
    found = nearest(features[7:8], features, size=16)
    assert found.positions[0, 0] == 7
    assert found.distances[0, 0] == 0


def test_products_are_the_differences_to_rounding():
    rng = np.random.default_rng(0)
    queries, features = (rng.normal(0, 70, (num, 3072)).astype(np.float32) for num in (5, 30))
    exact = by_differences(queries, features)
    np.testing.assert_allclose(by_products(queries, features), exact, rtol=1e-5)
    assert (by_products(features, features).diagonal() < 5).all()  # of 5,500: the root of a rounding error


def test_neighbours_of_the_same_class_are_counted_by_hand():
    found = nearest(
        np.array([[0.0], [10.0]], np.float32), np.array([[9.0], [1], [0], [8]], np.float32), size=3, count=2
    )
    pool_labels = np.array([0, 0, 1, 0])  # 2 and 1 are near the first, 0 and 3 the second
    assert same_class_share(found, np.array([1, 0]), pool_labels) == 3 / 4
    assert same_class_share(found, np.array([0, 1]), pool_labels) == 1 / 4


def test_a_search_tells_features_from_pixels(monkeypatch):
    """Classes that differ in one pixel alone, under noise: what looks at that pixel finds them, distance does not."""
    from alexnet_tf.evaluation import neighbours

    class Split:
        def __init__(self, num, seed):
            rng = np.random.default_rng(seed)
            self.num_examples, self.labels = num, rng.integers(0, 2, num)
            self.images = rng.integers(0, 256, (num, 8, 8, 3), dtype=np.uint8)
            self.images[:, 0, 0, 0] = 255 * self.labels

        def read(self, positions):
            return self.images[positions]

    monkeypatch.setattr(neighbours, "hidden_activations", lambda classifier: lambda images: images[:, 0, 0, :1] / 255.0)
    pool, split = Split(150, seed=1), Split(400, seed=2)
    done = []
    found = search(None, split, pool, shown=np.array([3, 5]), num_candidates=100, batch_size=30, advance=done.append)
    assert done == [30, 30, 30, 10]
    assert found.metrics["same_class_last_hidden"] == 1
    assert 0.4 < found.metrics["same_class_pixels"] < 0.7
    assert (found.metrics["num_queries"], found.metrics["num_candidates"]) == (200, 100)
    assert found.shown.positions.shape == (2, 6)
    np.testing.assert_array_equal(
        pool.labels[found.shown.positions], np.repeat(split.labels[[3, 5]][:, None], 6, axis=1)
    )
    assert set(found.shown.positions.ravel()) <= set(evenly_spaced(150, 100).tolist())


def test_activations_are_what_the_last_layer_sees():
    import tensorflow as tf

    from tests.alexnet_tf.small_networks import classifier_of_six

    for towers in (True, False):
        classifier = classifier_of_six(faithful=towers)
        images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
        hidden = hidden_activations(classifier)(images)
        assert hidden.shape == (3, 8)
        assert hidden.dtype == np.float32
        fc8 = classifier.model.get_layer("fc8")
        logits = classifier.model(classifier.views.center(images), training=False)
        np.testing.assert_allclose(fc8(tf.constant(hidden)), logits, rtol=1e-5, atol=1e-6)
