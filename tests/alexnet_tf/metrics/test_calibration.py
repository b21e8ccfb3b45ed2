import numpy as np
import pytest

from alexnet_tf.metrics.calibration import Bin, calibration_error, reliability
from alexnet_tf.metrics.top_k import Predictions


def predictions(confidence, right):
    confidence = np.asarray(confidence, np.float32)
    scores = {1: np.asarray(right, np.float64)}
    nothing = np.zeros(len(confidence))
    return Predictions(nothing.astype(np.int32), confidence, confidence, nothing, scores)


def test_by_hand():
    # Bins are 1/15 wide: 0.95 and 1.0 in the last, 0.5 in the eighth.
    bins = reliability(predictions([0.95, 1.0, 0.5, 0.5], [1, 0, 1, 0.5]))
    assert [(each.num_examples, each.accuracy) for each in bins] == [(2, 0.75), (2, 0.5)]
    assert bins[0].confidence == 0.5
    assert (bins[0].low, bins[0].high) == (7 / 15, 8 / 15)
    assert calibration_error(bins) == pytest.approx((2 * 0.25 + 2 * 0.475) / 4)


def test_agrees_with_the_sum_over_images():
    rng = np.random.default_rng(0)
    confidence, right = rng.uniform(0.1, 1, 5000), rng.uniform(size=5000) < 0.7
    numbers = np.digitize(confidence, np.linspace(0, 1, 16), right=True)
    expected = sum(abs((right[numbers == n] - confidence[numbers == n]).sum()) for n in range(1, 16)) / 5000
    assert calibration_error(reliability(predictions(confidence, right))) == pytest.approx(expected, rel=1e-6)


def test_a_calibrated_model_has_almost_no_error_and_a_boaster_has_his_excess():
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.1, 1, 200_000)
    right = rng.uniform(size=200_000) < confidence
    assert calibration_error(reliability(predictions(confidence, right))) < 0.01
    boast = np.full(1000, 0.99)
    assert calibration_error(reliability(predictions(boast, np.arange(1000) < 600))) == pytest.approx(0.39, abs=1e-6)


def test_error_weighs_bins_by_their_images():
    bins = [Bin(0, 0.5, 3, 0.4, 0.1), Bin(0.5, 1, 1, 0.9, 0.9)]
    assert calibration_error(bins) == pytest.approx(0.225)
