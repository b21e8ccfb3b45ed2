import numpy as np
import pytest

from alexnet_tf.comparison import page
from alexnet_tf.comparison.compare import Evaluation, TrainingReport, compare, differing_parameters, headline_metrics
from alexnet_tf.comparison.tables import error_rows
from alexnet_tf.errors import DataError


def evaluation(correct, *, keys="k", source=None, classes=("ash", "elm"), top5=True):
    correct = np.array(correct, bool)
    view = {"top1_error": 1 - correct.mean(), "mean_loss": 1.0} | ({"top5_error": 0.0} if top5 else {})
    bits = {f"{name}_top1": correct for name in ("center", "ten_crop")}
    bits |= {f"{name}_top5": np.ones_like(correct) for name in ("center", "ten_crop")} if top5 else {}
    return Evaluation(
        num_examples=len(correct),
        keys_sha256=keys,
        metrics={"center": view, "ten_crop": view},
        correct=bits,
        per_class={name: (len(correct) // 2, 0.5) for name in classes},
        source_digest=source,
    )


def compared(evaluations, against=None, **variants):
    training = TrainingReport(metrics={"best_epoch": 1}, history={"epoch": [1], "train_loss": [2.0]})
    return compare(
        evaluations,
        dict.fromkeys(evaluations, training),
        variants or {name: {} for name in evaluations},
        baseline=next(iter(evaluations)),
        confidence=0.95,
        bootstrap_samples=200,
        against=against,
    )


def test_knobs_are_those_that_differ_or_that_one_lacks():
    knobs = differing_parameters({"x": {"a": 1, "b": {"c": 2}, "d": 3}, "y": {"a": 1, "b": {"c": 4}, "e": 5}})
    assert knobs == [
        {"key": "b.c", "values": {"x": 2, "y": 4}},
        {"key": "d", "values": {"x": 3}},
        {"key": "e", "values": {"y": 5}},
    ]


def test_pairs_every_variant_with_the_baseline():
    comparison = compared({"a": evaluation([1, 1, 0, 0]), "b": evaluation([1, 1, 1, 0]), "c": evaluation([0] * 4)})
    assert list(comparison["paired"]) == ["b", "c"]
    assert comparison["paired"]["b"]["ten_crop"]["top1_error"]["difference"] == -0.25
    assert comparison["paired"]["c"]["center"]["top1_error"]["difference"] == 0.5
    assert comparison["paired"]["c"]["center"]["top5_error"]["difference"] == 0
    assert headline_metrics(comparison)["c"]["ten_crop_top1_error_difference"] == 0.5
    assert "ten_crop_top1_error_difference" not in headline_metrics(comparison)["a"]


def test_a_variant_can_have_a_baseline_of_its_own():
    known = {"a": evaluation([1, 1, 0, 0]), "b": evaluation([1, 1, 1, 0]), "b@past": evaluation([1, 1, 1, 1])}
    comparison = compared(known, against={"b@past": "b"})
    assert comparison["against"] == {"b": "a", "b@past": "b"}
    assert comparison["paired"]["b@past"]["ten_crop"]["top1_error"]["difference"] == -0.25
    assert page.sentences(comparison)[1].startswith("b@past has a top-1 error of 0.0 %, b 25.0 %")
    shown = {row[0]: row[1:] for row in error_rows(comparison)}["difference, points"]
    assert [cell.partition(" from ")[2] for cell in shown] == ["", "a", "b"]
    assert shown[0] == "baseline"


def test_a_variant_of_which_the_errors_alone_are_known_is_not_tested():
    views = evaluation([1, 0, 0, 0]).metrics
    known = {"a": evaluation([1, 1, 0, 0]), "b": evaluation([1, 1, 1, 0]), "past": Evaluation(4, None, views, {}, {})}
    comparison = compared(known)
    assert list(comparison["paired"]) == ["b"]
    assert comparison["errors"]["past"]["ten_crop"]["top1_error"]["value"] == 0.75
    assert comparison["per_class"][0]["errors"] == {"a": 0.5, "b": 0.5, "past": None}
    said = page.sentences(comparison)
    assert said[0].startswith("b has a top-1 error of 25.0 %, a 50.0 %")
    assert said[1:] == ["past has a top-1 error of 75.0 %."]
    shown = {row[0]: row[1:] for row in error_rows(comparison)}
    assert shown["McNemar p"][::2] == shown["difference from a, points"][::2] == ["baseline", "not tested"]
    assert compared({"past": known["past"], "a": known["a"]})["paired"] == {}


def test_few_classes_have_no_top_5_error_anywhere():
    comparison = compared({"a": evaluation([1, 0], top5=False), "b": evaluation([1, 1], top5=False)})
    assert set(comparison["errors"]["a"]["center"]) == {"mean_loss", "top1_error"}
    assert set(comparison["paired"]["b"]["center"]) == {"top1_error"}
    assert set(headline_metrics(comparison)["a"]) == {"center_top1_error", "ten_crop_top1_error"}


def test_other_images_or_other_classes_are_refused():
    with pytest.raises(DataError, match="a and b were tested on different images"):
        compared({"a": evaluation([1, 0]), "b": evaluation([1, 0], keys="other")})
    with pytest.raises(DataError, match=r"a and b were tested on different images .*contents one.*contents two"):
        compared({"a": evaluation([1, 0], source="one"), "b": evaluation([1, 0], source="two")})
    with pytest.raises(DataError, match="a and b name different classes"):
        compared({"a": evaluation([1, 0]), "b": evaluation([1, 0], classes=("elm", "ash"))})
