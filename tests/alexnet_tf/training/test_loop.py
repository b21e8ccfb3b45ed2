import numpy as np
import pytest

from alexnet_tf.errors import TrainingError
from alexnet_tf.metrics.top_k import join, score_center
from alexnet_tf.stop import Stop
from alexnet_tf.training import guards
from alexnet_tf.training import loop as fit_module
from alexnet_tf.training.loop import TrainingLoop
from alexnet_tf.training.schedule import Plateau
from tests.alexnet_tf.small_training import (
    MemorySplit,
    alexnet,
    alexnet_bn,
    compiled,
    images,
    optimizer,
    schedule,
    split,
    training,
)

HELD_OUT = split(9, seed=5)


def make(work, folder=None, *, rows=None, advance=lambda amount=1, **figures: None, interval=-1.0, stop=None):
    """Return a fit that writes a checkpoint after every call, unless `interval` says otherwise."""
    rows = [] if rows is None else rows
    return TrainingLoop(
        work,
        HELD_OUT,
        folder=folder,
        checkpoint_interval_seconds=interval,
        advance=advance,
        on_epoch=lambda row, _: rows.append(row),
        stop=stop or Stop(),
    )


def test_an_epoch_is_a_row_of_the_history():
    rows, steps = [], []
    work = compiled(epochs=2)

    def advance(amount=1, **figures):
        steps.append(amount)

    fitted = make(work, rows=rows, advance=advance).run()
    assert [(row.epoch, row.step) for row in fitted.history] == [(1, 6), (2, 12)]
    assert rows == fitted.history
    assert sum(steps) == 12
    assert fitted.steps_here == 12
    assert fitted.epoch == 2
    # steps: the rate falls at 25, 55 and 84 % of 12 steps.
    assert [row.learning_rate for row in fitted.history] == pytest.approx([0.001, 0.00001])
    assert all(0 <= row.validation_top1_error <= 1 for row in fitted.history)
    assert {row.validation_top5_error for row in fitted.history} == {None}  # of three classes


def test_a_call_has_as_many_steps_as_the_chief_says(monkeypatch):
    wished, taken = [], []
    monkeypatch.setattr(fit_module, "SECONDS_PER_CALL", 60.0)
    monkeypatch.setattr(fit_module, "agreed", lambda _, wish, stop: (wished.append(wish) or 2, stop))
    work = compiled(epochs=2)
    monkeypatch.setattr(work, "run_steps", lambda *given, run=work.run_steps: taken.append(given[2]) or run(*given))
    assert make(work).run().steps_here == 12
    assert taken == [2] * 6
    assert max(wished) > 2  # what this worker would have taken


def test_the_history_says_the_mean_loss_of_the_epoch():
    work = compiled(epochs=1)
    losses, errors = work.run_steps(work.iterator(0), 0, 6, Plateau())
    row = make(compiled(epochs=1)).run().history[0]
    assert row.train_loss == pytest.approx(losses.mean(), rel=1e-6)
    assert row.train_top1_error == pytest.approx(errors.mean(), rel=1e-6)


def test_the_history_has_the_scores_of_the_averaged_weights_on_the_held_out_images():
    six = MemorySplit(images(48, 68), 68, class_names=tuple("abcdef"))
    work = training(train=six, epochs=1, weight_averaging=0.9)
    row = make(work).run().history[0]
    scored = join(score_center(work.validation_logits(HELD_OUT), HELD_OUT.labels))
    found = (row.validation_loss, row.validation_top1_error, row.validation_top5_error)
    assert found == pytest.approx((scored.losses.mean(), scored.error(1), scored.error(5)))
    assert scored.error(5) != scored.error(1)


def test_a_loss_that_is_not_finite_stops_with_its_step():
    work = compiled(optimizer=optimizer(learning_rate=1e30))
    with pytest.raises(TrainingError, match=r"step 2\b|step 3\b") as caught:
        make(work).run()
    assert "learning_rate" in str(caught.value)


def test_an_update_that_no_loss_sees_stops_too():
    # The last update of a training: its batch's loss was finite, the weights that it leaves are not.
    rates = optimizer(learning_rate=1e38, bias_learning_rate_factor=100.0)  # beyond float32
    work = training(epochs=1, train=split(8), optimizer=rates)
    with pytest.raises(TrainingError, match=r"not finite after step 1 of 1.*: training diverged"):
        make(work).run()


def test_a_loss_that_stays_that_of_guessing_stops_with_what_to_try(monkeypatch):
    monkeypatch.setattr(guards, "STALL_STEPS", (1, 5000))
    still = compiled(alexnet(weight_stddev=[1e-6] * 8), optimizer=optimizer(learning_rate=1e-9), epochs=3)
    message = r"ends at step 6 is 1\.09\d\d, still that of guessing, 1\.09\d\d: nothing.*profile: original"
    with pytest.raises(TrainingError, match=message):
        make(still).run()


def test_a_short_training_is_not_called_stalled_too_early():
    still = compiled(alexnet(weight_stddev=[1e-6] * 8), optimizer=optimizer(learning_rate=1e-9), epochs=3)
    fitted = make(still).run()
    assert len(fitted.history) == 3
    assert fitted.stalled  # and yet it is said
    assert not make(compiled(alexnet_bn(), epochs=3)).run().stalled


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_the_best_epoch_is_kept_when_asked(monkeypatch, averaging):
    errors = iter([0.5, 0.25, 0.75, 0.25])
    weights = []
    work = compiled(epochs=4, keep="best", weight_averaging=averaging)

    class Scores:
        losses, scores = [1.0], {1: None}

        def error(self, k):
            with work.averaged():
                weights.append(work.weights()["fc8/kernel"])
            assert np.array_equal(work.weights()["fc8/kernel"], weights[-1]) == (not averaging)
            return next(errors)

    monkeypatch.setattr(fit_module, "join", lambda scored: Scores())
    fitted = make(work).run()
    assert fitted.epoch == 2  # the first of equals
    np.testing.assert_array_equal(fitted.weights["fc8/kernel"], weights[1])
    assert not np.array_equal(weights[1], weights[3])


def test_the_plateau_rule_sees_the_validation_error(monkeypatch):
    class Scores:
        losses, scores = [1.0], {1: None}

        def error(self, k):
            return 0.5

    monkeypatch.setattr(fit_module, "join", lambda scored: Scores())
    work = compiled(epochs=6, schedule=schedule(name="plateau", patience_epochs=1, max_drops=3))
    rates = [row.learning_rate for row in make(work).run().history]
    assert rates == pytest.approx([0.01, 0.01, 0.001, 0.0001, 0.00001, 0.00001])


def test_averaged_weights_are_the_result():
    work = compiled(epochs=1, weight_averaging=0.9)
    fitted = make(work).run()
    averaged = [work.variables[f"averages/{n}"].numpy() for n in range(len(work.model.trainable_variables))]
    for variable, average in zip(work.model.trainable_variables, averaged, strict=True):
        np.testing.assert_array_equal(fitted.weights[variable.path.split("/", 1)[1]], average)
