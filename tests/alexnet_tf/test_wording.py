from alexnet_tf.wording import (
    error_with_interval,
    p_value,
    percent,
    percent_range,
    percent_with_interval,
    points,
    points_with_interval,
)


def test_shares_and_their_intervals():
    assert percent(0.0646) == "6.5 %"
    assert percent(0.0646, digits=2) == "6.46 %"
    assert percent(None) == "–"
    assert percent_with_interval(0.0646, 0.06, 0.0696) == "6.5 % (6.0 to 7.0)"
    assert percent_with_interval(0.0646, 0.06, 0.0696, digits=2) == "6.46 % (6.00 to 6.96)"
    assert percent_with_interval(0.0646, None, 0.0696) == "6.5 %"


def test_differences_have_a_sign_and_a_minus_not_a_hyphen():
    assert points(0.0123) == "+1.2"
    assert points(-0.0123, digits=2) == "−1.23"
    assert points_with_interval(-0.0123, -0.02, 0.001) == "−1.2 (−2.0 to +0.1)"
    assert points_with_interval(-0.0123, None, None, digits=2) == "−1.23"


def test_small_probabilities_are_not_written_as_zero():
    assert p_value(1e-9) == "< 0.001"
    assert p_value(0.0123) == "0.012"
    assert p_value(0.0123, equals="= ") == "= 0.012"


def test_an_error_has_the_interval_that_its_report_has():
    metrics = {"top1_error": 0.0646, "top1_error_low": 0.06, "top1_error_high": 0.0696, "top5_error": 0.002}
    assert error_with_interval(metrics, "top1_error") == "6.5 % (6.0 to 7.0)"
    assert error_with_interval(metrics, "top5_error", digits=2) == "0.20 %"
    assert percent_range(0.06, 0.0696) == "6.0 to 7.0 %"
