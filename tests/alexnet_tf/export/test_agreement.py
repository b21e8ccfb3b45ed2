"""The bounds of docs/models.md: what may lie between the logits of an exported file and those of the network."""

from types import SimpleNamespace

import numpy as np
import pytest

from alexnet_tf.errors import AlexNetError
from alexnet_tf.export import agreement, fresh_process, tflite

LOGITS = np.array([[3.0, -4.0, 1.0], [0.5, 0.0, 2.0]], np.float32)
"""The largest is 4."""


def measured(monkeypatch, tolerances, precision, off):
    monkeypatch.setattr(agreement, "answers", lambda *_: iter([(np.zeros((2, 4, 4, 3), np.float32), LOGITS)]))

    def ask(crops):
        return [LOGITS + np.array([[0, 0, 0], [0, off, 0]]) for _ in crops]

    return agreement.measured(
        b"file",
        SimpleNamespace(precision=precision),
        SimpleNamespace(num_examples=2),
        ask,
        tolerances=tolerances,
        what="the file",
        switch="it off",
    )


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("exported", "precision", "share"),
    [
        (tflite, "float32", 0.01),
        (tflite, "bfloat16", 0.05),
        (fresh_process, "float32", 0.0001),
        (fresh_process, "bfloat16", 0.05),
    ],
)
def test_a_difference_is_allowed_up_to_a_share_of_the_largest_logit(monkeypatch, exported, precision, share, sign):
    bound = share * 4
    found = measured(monkeypatch, exported.TOLERANCES, precision, sign * 0.9 * bound)
    assert found["max_logit_difference"] == pytest.approx(0.9 * bound, rel=1e-2)
    assert found["largest_logit"] == 4
    with pytest.raises(AlexNetError, match=rf"logits differ by {1.1 * bound:.2g}, at most {bound:.2g} is allowed"):
        measured(monkeypatch, exported.TOLERANCES, precision, sign * 1.1 * bound)
