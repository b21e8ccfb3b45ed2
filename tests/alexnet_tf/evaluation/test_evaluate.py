import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet_tf.errors import ConfigError, TrainingError
from alexnet_tf.metrics.top_k import CENTER, reported_ks, score_views, softmax, top_k_scores


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
    with pytest.raises(ConfigError, match="here 4"):
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


class Split:
    """Seven images of noise, 8 pixels wide."""

    num_examples = 7
    labels = np.arange(7) % 5

    def read(self, indices):
        return np.random.default_rng(0).integers(0, 256, (7, 8, 8, 3), dtype=np.uint8)[np.asarray(indices)]


@pytest.fixture(scope="module")
def make_classifier():
    """A five-class classifier whose crops of 32 come from images of 8 pixels, enlarged to 40."""
    from alexnet_tf.models.classifier import Classifier
    from alexnet_tf.models.networks import build
    from alexnet_tf.models.views import Views
    from tests.alexnet_tf.small_training import alexnet_bn, input_spec

    spec = alexnet_bn(filters=[4] * 5, dense_units=[8, 8], dropout=0.5)
    views = Views(input_spec(crop_size=32, divide_by=64.0), 8, 40, np.float32([90, 100, 110]))
    return lambda: Classifier(build(spec, crop_size=32, num_classes=5, seed=1), views, tuple("abcde"), "float32")


@pytest.mark.parametrize("batch_size", [1, 3, 64])
@pytest.mark.parametrize("num_replicas", [1, 2])
def test_every_image_counts_once_whatever_batch_and_replicas(two_devices, make_classifier, batch_size, num_replicas):
    import tensorflow as tf

    from alexnet_tf.devices.strategy import make_strategy
    from alexnet_tf.evaluation.evaluate import evaluate, mean_luma

    strategy = make_strategy(two_devices[:num_replicas])
    with strategy.scope():
        classifier = make_classifier()
    advanced = []
    evaluated = evaluate(classifier, Split(), batch_size=batch_size, strategy=strategy, advance=advanced.append)
    scored = evaluated.predictions
    assert sum(advanced) == 7
    alone = make_classifier()
    views = alone.ten_views(alone.inputs(Split().read(np.arange(7))))
    logits = alone.model(tf.reshape(views, [70, 32, 32, 3])).numpy().reshape(7, 10, 5)
    expected = score_views(logits, Split.labels)
    np.testing.assert_array_equal(evaluated.top_classes[:, 0], expected["ten_crop"].classes)
    np.testing.assert_array_equal(evaluated.brightness, mean_luma(Split().read(np.arange(7))))
    for name in ("center", "ten_crop"):
        np.testing.assert_array_equal(scored[name].classes, expected[name].classes)
        # Sums in another order: five decimal digits of float32's seven are left after five layers.
        np.testing.assert_allclose(scored[name].losses, expected[name].losses, rtol=1e-5)
        assert scored[name].error(1) == expected[name].error(1)
        assert scored[name].error(5) == 0


def test_the_centre_of_the_ten_views_is_the_centre_view(make_classifier):
    classifier = make_classifier()
    inputs = classifier.inputs(Split().read(np.arange(7)))
    np.testing.assert_array_equal(classifier.ten_views(inputs)[:, CENTER], classifier.center_view(inputs))
