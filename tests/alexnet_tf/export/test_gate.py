import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alexnet_tf.export.gate import BITS, blessing, judge
from alexnet_tf.metrics.correctness import Correctness
from alexnet_tf.metrics.significance import wilson_interval

NUM = 1000


def found(num_right, *, images="a", first=0):
    right = np.zeros(NUM, bool)
    right[first : first + num_right] = True
    return Correctness(NUM, images, {BITS: right})


def rules(model, champion=None, *, max_top1_error=1.0, champion_margin=0.01):
    metrics = {"num_examples": NUM, "ten_crop": {"top1_error": 1 - float(model.right[BITS].mean())}}
    return judge(
        metrics,
        model,
        champion,
        max_top1_error=max_top1_error,
        champion_margin=champion_margin,
        confidence=0.95,
        bootstrap_samples=1000,
    )


def test_the_high_end_of_the_interval_decides():
    _, high = wilson_interval(0.2, NUM, confidence=0.95)
    assert rules(found(800), max_top1_error=high)[0].verdict == "pass"
    assert rules(found(800), max_top1_error=high - 1e-9)[0].verdict == "fail"
    assert rules(found(800), max_top1_error=0.2)[0].verdict == "fail"


def test_no_champion_and_a_champion_of_other_images_are_passed_over_and_said():
    assert rules(found(800))[1].verdict == "skipped"
    other = rules(found(800), found(800, images="b"))[1]
    assert (other.verdict, other.value) == ("skipped", None)
    assert "tested on different images (1000 with keys b, here 1000 with keys a)" in other.reason
    assert blessing(rules(found(800)), confidence=0.95)["blessed"]


def test_a_model_is_no_worse_than_itself():
    rule = rules(found(800), found(800), champion_margin=0.0)[1]
    assert (rule.value, rule.low, rule.high, rule.verdict) == (0, 0, 0, "pass")


def test_the_same_error_on_other_images_is_not_certain_enough():
    # Both are right on 800 of 1,000, but on different ones: the difference could be some points either way.
    rule = rules(found(800), found(800, first=200), champion_margin=0.01)[1]
    assert rule.value == 0
    assert rule.verdict == "fail"
    assert not blessing([rule], confidence=0.95)["blessed"]
    assert rules(found(800), found(800, first=200), champion_margin=0.06)[1].verdict == "pass"


@given(st.integers(0, NUM), st.integers(0, NUM), st.floats(0, 0.5))
def test_more_errors_never_turn_a_refusal_into_a_pass(fewer, more, margin):
    low, high = sorted((fewer, more))
    order = {"fail": 0, "pass": 1}
    champion, bound = found(600), {"max_top1_error": 0.5}
    worse = [order[rule.verdict] for rule in rules(found(low), champion, champion_margin=margin, **bound)]
    # Samples of two models are drawn apart from one another, which moves the end of an interval by two images at most.
    margin += 2 / NUM
    better = [order[rule.verdict] for rule in rules(found(high), champion, champion_margin=margin, **bound)]
    assert worse[0] <= better[0]
    assert worse[1] <= better[1]
