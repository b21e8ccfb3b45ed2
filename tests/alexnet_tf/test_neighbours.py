import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet_tf.neighbours import hidden_activations, nearest, spread


def batches(features, size, positions=None):
    positions = np.arange(len(features)) if positions is None else positions
    for start in range(0, len(features), size):
        yield positions[start : start + size], features[start : start + size]


def test_distances_by_hand():
    features = np.array([[3.0, 4.0], [0.0, 1.0], [6.0, 8.0]], np.float32)
    positions, distances = nearest(np.zeros((1, 2), np.float32), batches(features, 2), count=2)
    np.testing.assert_array_equal(positions, [[1, 0]])
    np.testing.assert_array_equal(distances, [[1, 5]])


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 1000))
def test_batches_change_nothing_and_a_full_sort_agrees(num, size, seed):
    rng = np.random.default_rng(seed)
    features = rng.integers(-2, 3, (num, 3)).astype(np.float32)  # few values, so that ties occur
    queries = rng.integers(-2, 3, (4, 3)).astype(np.float32)
    positions, distances = nearest(queries, batches(features, size), count=6)
    apart = np.sqrt(((queries[:, None] - features[None]) ** 2).sum(axis=2, dtype=np.float64))
    order = np.argsort(apart, axis=1, kind="stable")[:, :6]
    np.testing.assert_array_equal(positions, order)
    np.testing.assert_allclose(distances, np.take_along_axis(apart, order, axis=1))


def test_an_image_is_its_own_nearest_neighbour_at_exactly_zero():
    features = np.random.default_rng(0).normal(1000, 1, (50, 64)).astype(np.float32)
    positions, distances = nearest(features[7:8], batches(features, 16))
    assert positions[0, 0] == 7
    assert distances[0, 0] == 0


@pytest.mark.parametrize(("available", "wanted"), [(10, 3), (10, 10), (3, 8), (1, 1), (0, 5), (1_281_167, 50_000)])
def test_spread_takes_each_position_once_over_the_whole_range(available, wanted):
    positions = spread(available, wanted)
    assert len(positions) == min(available, wanted) == len(set(positions.tolist()))
    if len(positions):
        assert positions[0] == 0
        assert available - available / len(positions) - 1 <= positions[-1] < available


def test_activations_are_what_the_last_layer_sees():
    import tensorflow as tf

    from tests.alexnet_tf.small_networks import bundle_of_six

    for towers in (True, False):
        bundle = bundle_of_six(faithful=towers)
        images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
        hidden = hidden_activations(bundle)(images)
        assert hidden.shape == (3, 8)
        assert hidden.dtype == np.float32
        fc8 = bundle.model.get_layer("fc8")
        logits = bundle.model(bundle.center_view(bundle.inputs(images)), training=False)
        np.testing.assert_allclose(fc8(tf.constant(hidden)), logits, rtol=1e-5, atol=1e-6)
