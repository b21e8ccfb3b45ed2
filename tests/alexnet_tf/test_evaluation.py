import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet_tf.errors import ConfigError, TrainingError
from alexnet_tf.scoring import CENTER, reported_ks, score_views, softmax, top_k_scores


def test_scores_by_hand():
    probabilities = np.array([[0.5, 0.3, 0.2], [0.4, 0.4, 0.2], [0.2, 0.4, 0.4]], np.float32)
    labels = np.array([0, 1, 0])
    np.testing.assert_array_equal(top_k_scores(probabilities, labels, k=1), [1, 0.5, 0])
    np.testing.assert_array_equal(top_k_scores(probabilities, labels, k=2), [1, 1, 0])


@pytest.mark.parametrize("num_classes", [5, 10, 1000])
def test_a_constant_predictor_scores_k_of_num_classes(num_classes):
    probabilities = np.full((7, num_classes), 1 / num_classes, np.float32)
    labels = np.arange(7) % num_classes
    for k in (1, 5):
        np.testing.assert_allclose(top_k_scores(probabilities, labels, k=k), k / num_classes, rtol=1e-15)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=6), st.data())
def test_scores_are_the_share_of_tie_orders_that_name_the_label(values, data):
    import itertools

    label = data.draw(st.integers(0, len(values) - 1))
    k = data.draw(st.integers(1, len(values)))
    orders = list(itertools.permutations(range(len(values))))
    named = sum(label in sorted(order, key=lambda c: -values[c])[:k] for order in orders)  # sorted is stable
    score = top_k_scores(np.array([values], np.float32), np.array([label]), k=k)[0]
    assert score == pytest.approx(named / len(orders))


def test_top_5_of_four_classes_is_refused_and_not_reported():
    with pytest.raises(ConfigError, match="which is 4 here"):
        top_k_scores(np.full((1, 4), 0.25, np.float32), np.array([0]), k=5)
    assert reported_ks(4) == (1,)
    assert reported_ks(5) == (1, 5)


def test_ten_crops_average_probabilities_not_logits():
    # One view is sure of class 0, nine lean to class 1 by little: logits would say 0, probabilities say 1.
    logits = np.tile(np.array([0.0, 1.0], np.float32), (1, 10, 1))
    logits[0, 0] = [50, 0]
    scored = score_views(logits, np.array([1]))
    lean = 1 / (1 + np.exp(-1))
    assert logits.mean(axis=1).argmax() == 0
    assert scored["ten_crop"].classes[0] == 1
    assert scored["ten_crop"].label_probabilities[0] == pytest.approx(0.9 * lean, rel=1e-6)
    assert scored["ten_crop"].losses[0] == pytest.approx(-np.log(0.9 * lean), rel=1e-9)


def test_the_centre_is_the_fifth_view_alone():
    logits = np.random.default_rng(0).normal(size=(6, 10, 7)).astype(np.float32)
    labels = np.arange(6)
    scored = score_views(logits, labels)["center"]
    probabilities = softmax(logits[:, CENTER])
    np.testing.assert_array_equal(scored.classes, probabilities.argmax(axis=1))
    np.testing.assert_allclose(scored.losses, -np.log(probabilities[labels, labels]), rtol=1e-5)


def test_loss_stays_finite_where_the_probability_is_zero():
    logits = np.tile(np.array([0.0, -500.0], np.float32), (1, 10, 1))
    scored = score_views(logits, np.array([1]))
    assert scored["ten_crop"].label_probabilities[0] == 0
    assert scored["ten_crop"].losses[0] == pytest.approx(500)


def test_a_tie_is_half_right_but_not_correct():
    scored = score_views(np.zeros((4, 10, 2), np.float32), np.array([0, 1, 0, 1]))["center"]
    assert scored.error(1) == 0.5
    assert not scored.correct(1).any()


def test_logits_that_are_not_finite_stop_the_evaluation():
    with pytest.raises(TrainingError, match="not finite"):
        score_views(np.full((1, 10, 2), np.nan, np.float32), np.array([0]))


class _Split:
    """Seven images whose pixels name their index."""

    num_examples = 7
    labels = np.arange(7) % 3

    def read(self, indices):
        return np.asarray(indices, np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8) * 10


@pytest.fixture(scope="module")
def two_cpus():
    import tensorflow as tf

    devices = tf.config.list_physical_devices("CPU")
    if len(tf.config.get_logical_device_configuration(devices[0]) or []) < 2:
        try:
            tf.config.set_logical_device_configuration(devices[0], [tf.config.LogicalDeviceConfiguration()] * 2)
        except RuntimeError:
            pytest.skip("TensorFlow already runs with one logical CPU in this process")
    return ["CPU:0", "CPU:1"]


@pytest.fixture(scope="module")
def make_bundle():
    import keras
    import tensorflow as tf

    class TinyBundle:
        def __init__(self):
            keras.utils.set_random_seed(0)
            self.model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(5)])

        def inputs(self, images):
            return tf.cast(images, tf.float32)

        def ten_views(self, x):
            shifts = tf.reshape(tf.range(10, dtype=tf.float32), [1, 10, 1, 1, 1])
            return (x[:, None, :4, :4] + shifts) / 64

    return TinyBundle


@pytest.mark.parametrize("batch_size", [1, 3, 7, 64])
@pytest.mark.parametrize("num_replicas", [1, 2])
def test_every_image_counts_once_whatever_batch_and_replicas(two_cpus, make_bundle, batch_size, num_replicas):
    import tensorflow as tf

    from alexnet_tf.evaluation import evaluate, ten_view_logits

    strategy = tf.distribute.MirroredStrategy(two_cpus[:num_replicas])
    with strategy.scope():
        bundle = make_bundle()
    seen = []
    scored = evaluate(bundle, _Split(), batch_size=batch_size, strategy=strategy, advance=seen.append)
    assert sum(seen) == 7
    x = bundle.ten_views(bundle.inputs(_Split().read(np.arange(7)))).numpy()
    kernel, bias = bundle.model.get_weights()
    logits = x.reshape(7, 10, 48) @ kernel + bias
    ours = np.concatenate(list(ten_view_logits(bundle, _Split(), batch_size=batch_size, strategy=strategy)))
    np.testing.assert_allclose(ours, logits, rtol=1e-4, atol=1e-5)  # sums of 48 float32 products in another order
    expected = score_views(logits, _Split.labels)
    for name in ("center", "ten_crop"):
        np.testing.assert_array_equal(scored[name].classes, expected[name].classes)
        assert scored[name].error(1) == expected[name].error(1)
        assert scored[name].error(5) == 0
