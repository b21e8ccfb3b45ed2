"""What the stage train says of results that are written by hand."""

import json
from types import SimpleNamespace

import pytest

from alexnet_tf.training.checkpoint import Spent
from alexnet_tf.training.history import Epoch
from alexnet_tf.training.loop import TrainingResult
from components.train import _costs, _found, _write_report

MADE = SimpleNamespace(total_steps=30, recipe=SimpleNamespace(global_batch_size=8))


def result(steps_here=30, *, stalled=False):
    rows = [Epoch(n, 10 * n, 0.01, 1.0, 0.5, 1.0, error, None) for n, error in enumerate([0.25, 0.375], start=1)]
    return TrainingResult(rows, {}, 2, stalled, steps_here, Spent(7.0, 11.0), 3.0)


def test_costs_are_those_of_the_steps_taken_here():
    assert _costs(result(), MADE, 12.0, [9.0, 1.0, 3.0]) == {
        "cost/images_per_second": 30 * 8 / 12,
        "cost/checkpoint_share": 3 / 12,
        "cost/seconds_per_epoch": 2.0,
    }


def test_a_resumed_training_also_has_the_costs_of_the_steps_before():
    assert _costs(result(steps_here=6), MADE, 12.0, [9.0]) == {
        "cost/images_per_second": 6 * 8 / 12,
        "cost/checkpoint_share": 3 / 12,
        "cost/earlier_wall_seconds": 7.0,
        "cost/earlier_cpu_seconds": 11.0,
        "cost/seconds_per_epoch": 9.0,
    }


def test_a_training_that_was_finished_before_has_no_rates():
    assert _costs(result(steps_here=0), MADE, 12.0, []) == {
        "cost/earlier_wall_seconds": 7.0,
        "cost/earlier_cpu_seconds": 11.0,
    }


@pytest.mark.parametrize(("stalled", "end"), [(False, ""), (True, ", but the loss is still that of guessing")])
def test_a_loss_that_is_still_that_of_guessing_is_said(tmp_path, stalled, end):
    made = result(stalled=stalled)
    assert _found(made) == (
        "validation error 37.5 % after epoch 2 (the lowest is 25.0 % after epoch 1), training error 50.0 %; the "
        f"weights of epoch 2 are kept{end}"
    )
    _write_report(tmp_path / "report", made, 16)
    written = json.loads((tmp_path / "report/metrics.json").read_text())
    assert (written["stalled"], written["precision_bits"]) == (stalled, 16)
