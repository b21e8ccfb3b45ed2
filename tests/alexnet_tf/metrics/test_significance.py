import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet_tf.errors import DataError
from alexnet_tf.metrics.significance import mcnemar_p_value, paired_difference, wilson_interval


def test_wilson_interval_of_a_textbook_case():
    # 10 of 100 at 95 %: (0.1 + 0.019207 -+ 1.959964 sqrt(0.0009 + 0.000096036)) / 1.038415
    assert wilson_interval(0.1, 100, confidence=0.95) == pytest.approx((0.055229, 0.174366), abs=1e-6)


@given(st.integers(1, 500), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_ends_solve_the_score_equation(num_examples, error, confidence):
    from statistics import NormalDist

    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    low, high = wilson_interval(error, num_examples, confidence=confidence)
    assert 0 <= low <= error <= high <= 1
    for end in (low, high):  # |p - error| = z sqrt(p (1 - p) / n) is what defines the interval
        assert abs(end - error) == pytest.approx(z * math.sqrt(end * (1 - end) / num_examples), abs=1e-7)


def test_interval_without_images_is_refused():
    with pytest.raises(DataError, match="at least one image"):
        wilson_interval(0.0, 0, confidence=0.95)


@pytest.mark.parametrize(
    ("only_first", "only_second", "expected"),
    [(0, 0, 1.0), (3, 3, 1.0), (0, 5, 2 / 32), (1, 6, 2 * 8 / 128), (6, 1, 2 * 8 / 128)],
)
def test_mcnemar_by_hand(only_first, only_second, expected):
    assert mcnemar_p_value(only_first, only_second) == expected


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_equals_the_summed_binomial(only_first, only_second):
    n = only_first + only_second
    tail = sum(Fraction(math.comb(n, i), 2**n) for i in range(min(only_first, only_second) + 1))
    assert mcnemar_p_value(only_first, only_second) == pytest.approx(float(min(1, 2 * tail)), rel=1e-12)


def test_mcnemar_stays_finite_on_an_imagenet_sized_split():
    assert 0 < mcnemar_p_value(9_700, 10_300) < 1e-4


def test_paired_difference_counts_and_signs():
    baseline = np.array([True, True, False, False, True])
    model = np.array([True, False, True, True, True])
    paired = paired_difference(baseline=baseline, model=model, confidence=0.95, num_samples=500)
    assert (paired.only_baseline_correct, paired.only_model_correct) == (1, 2)
    assert paired.difference == pytest.approx(-0.2)  # errors 2/5 and 1/5
    assert paired.low <= paired.difference <= paired.high
    assert paired.p_value == 1.0


def test_bootstrap_interval_matches_drawing_images_one_by_one():
    rng = np.random.default_rng(0)
    baseline, model = rng.random(400) < 0.6, rng.random(400) < 0.7
    paired = paired_difference(baseline=baseline, model=model, confidence=0.9, num_samples=20_000)
    drawn = rng.integers(0, 400, size=(20_000, 400))
    differences = (baseline.astype(int) - model.astype(int))[drawn].mean(axis=1)
    # Two runs of 20,000 draws: the quantiles agree to about a fiftieth of the spread.
    assert (paired.low, paired.high) == pytest.approx(np.quantile(differences, [0.05, 0.95]), abs=0.004)


def test_equal_models_differ_by_nothing():
    bits = np.array([True, False, True])
    paired = paired_difference(baseline=bits, model=bits, confidence=0.95, num_samples=100)
    assert (paired.difference, paired.low, paired.high, paired.p_value) == (0, 0, 0, 1)


def test_few_images_that_differ_leave_an_interval_that_agrees_with_the_test():
    baseline = np.arange(200) >= 0
    paired = paired_difference(baseline=baseline, model=np.arange(200) >= 3, confidence=0.95, num_samples=2000)
    assert (paired.difference, paired.p_value) == (0.015, 0.25)
    # Agresti and Min by hand: 3 / 202 -+ 1.96 sqrt(4 / 202 - (3 / 202)²) / sqrt(202) = 0.0149 -+ 0.0193
    assert (paired.low, paired.high) == pytest.approx((-0.0044, 0.0342), abs=0.006)
    assert paired.low <= 0


def test_the_interval_covers_as_often_as_it_says_where_few_images_differ():
    rng = np.random.default_rng(3)
    worse, better, covered = 0.02, 0.01, 0
    for _ in range(400):
        drawn = rng.random(200)
        baseline, model = drawn >= better, (drawn < better) | (drawn >= better + worse)
        paired = paired_difference(baseline=baseline, model=model, confidence=0.95, num_samples=400)
        covered += paired.low <= worse - better <= paired.high
    assert covered >= 0.93 * 400


def test_swapping_the_models_turns_the_sign():
    rng = np.random.default_rng(1)
    a, b = rng.random(200) < 0.5, rng.random(200) < 0.8
    forth = paired_difference(baseline=a, model=b, confidence=0.95, num_samples=2000)
    back = paired_difference(baseline=b, model=a, confidence=0.95, num_samples=2000)
    assert forth.difference == -back.difference
    assert forth.p_value == back.p_value
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low), abs=0.02)


def test_different_numbers_of_images_are_refused():
    with pytest.raises(DataError, match="received 2 and 3"):
        paired_difference(baseline=np.ones(2, bool), model=np.ones(3, bool), confidence=0.95, num_samples=100)


@given(st.integers(1, 10**6), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_ends_at_no_and_at_all_errors_are_exact(num_examples, confidence):
    low, high = wilson_interval(0.0, num_examples, confidence=confidence)
    assert low == 0.0 < high < 1.0
    assert wilson_interval(1.0, num_examples, confidence=confidence) == pytest.approx((1 - high, 1 - low), abs=1e-12)
    assert wilson_interval(1.0, num_examples, confidence=confidence)[1] == 1.0


@given(st.integers(1, 300), st.floats(0, 300), st.sampled_from([0.8, 0.95, 0.99]))
def test_ties_that_count_in_parts_lie_between_their_neighbours(num_examples, errors, confidence):
    errors = min(errors, num_examples)
    below, share, above = (
        wilson_interval(count / num_examples, num_examples, confidence=confidence)
        for count in (math.floor(errors), errors, math.ceil(errors))
    )
    assert below[0] - 1e-12 <= share[0] <= above[0] + 1e-12
    assert below[1] - 1e-12 <= share[1] <= above[1] + 1e-12


@given(st.integers(1, 5000))
def test_models_that_never_or_always_disagree_have_a_defined_p_value(num_examples):
    expected = min(1.0, 2.0 ** (1 - num_examples))
    assert mcnemar_p_value(0, num_examples) == pytest.approx(expected, rel=1e-12, abs=1e-320)  # few digits below 1e-308
    right, wrong = np.ones(num_examples, bool), np.zeros(num_examples, bool)
    never = paired_difference(baseline=right, model=right, confidence=0.95, num_samples=100)
    always = paired_difference(baseline=right, model=wrong, confidence=0.95, num_samples=100)
    assert (never.difference, never.low, never.high, never.p_value) == (0, 0, 0, 1)
    assert always.low <= always.difference == always.high == 1
    assert always.p_value == mcnemar_p_value(num_examples, 0)
