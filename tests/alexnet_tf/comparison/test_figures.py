from alexnet_tf.comparison import figures

CURVES = {"faithful": {"epoch": [1, 2], "train_loss": [2.0, None], "validation_top1_error": [0.5, 0.4]}}


def errors(value):
    cell = {"value": value, "low": 0.4, "high": 0.6}
    return {"a": {view: {"top1_error": cell} for view in ("center", "ten_crop")}}


def test_other_numbers_and_names_give_other_pictures():
    assert figures.learning_curves(CURVES) != figures.learning_curves({"optimized": CURVES["faithful"]})
    assert figures.error_bars(errors(0.5), confidence=0.95) != figures.error_bars(errors(0.55), confidence=0.95)


def test_an_empty_history_can_be_drawn():
    assert figures.learning_curves({"a": {}}).startswith(b"\x89PNG")
