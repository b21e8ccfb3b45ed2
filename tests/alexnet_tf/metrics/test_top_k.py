import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet_tf.errors import ConfigError, TrainingError
from alexnet_tf.metrics.top_k import (
    CENTER,
    error_of,
    join,
    reported_ks,
    score_center,
    score_views,
    softmax,
    top_k_scores,
)


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


def test_top_5_of_four_classes_is_refused_and_of_five_not_reported():
    with pytest.raises(ConfigError, match="here 4"):
        top_k_scores(np.full((1, 4), 0.25, np.float32), np.array([0]), k=5)
    assert reported_ks(4) == (1,)
    assert reported_ks(5) == (1,)  # five guesses name every class
    assert reported_ks(6) == (1, 5)


def test_an_error_is_the_quotient_rounded_once():
    """1 - 9220 / 10000 would be 0.07799999999999996."""
    assert error_of(np.repeat([1.0, 0.0], [9220, 780])) == 0.078
    assert error_of(np.array([1.0, 0.5, 0.0])) == 0.5


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


def test_logits_in_bfloat16_are_counted_and_summed_in_full_precision():
    """NumPy adds ml_dtypes' bfloat16 in bfloat16: a thousand ones come to 256."""
    assert np.ones(1000, ml_dtypes.bfloat16).sum() == 256
    logits = np.random.default_rng(0).normal(size=(50, 10, 1000)).astype(ml_dtypes.bfloat16)
    labels = np.arange(50)
    wide = logits.astype(np.float32)
    for name, found in score_views(logits, labels).items():
        expected = score_views(wide, labels)[name]
        np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-6)
        np.testing.assert_allclose(found.probabilities, expected.probabilities, rtol=1e-5)
        np.testing.assert_array_equal(found.classes, expected.classes)
    found, expected = (join(score_center([each[:, :1]], labels)) for each in (logits, wide))
    assert math.fsum(found.losses) == pytest.approx(math.fsum(expected.losses), rel=1e-6)
    assert found.error(5) == expected.error(5)


def test_batches_of_centre_crops_are_scored_with_their_own_labels():
    logits = np.random.default_rng(0).normal(size=(11, 1, 7)).astype(np.float32)
    labels = np.arange(11) % 7
    whole, parts = (join(score_center(np.split(logits, places), labels)) for places in ([], [4, 8]))
    np.testing.assert_array_equal(parts.losses, whole.losses)
    np.testing.assert_array_equal(parts.label_probabilities, softmax(logits[:, 0])[np.arange(11), labels])
    np.testing.assert_array_equal(parts.scores[5], whole.scores[5])
    assert len(score_center([logits[:4]], labels)[0].losses) == 4  # a stop leaves out the rest
