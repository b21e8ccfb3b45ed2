import time
from types import SimpleNamespace

import numpy as np
import pytest

from alexnet_tf.errors import DataError, Stopped, TrainingError
from alexnet_tf.metrics.top_k import join, score_center
from alexnet_tf.stop import Stop
from alexnet_tf.training import guards
from alexnet_tf.training import loop as fit_module
from alexnet_tf.training.checkpoint import Spent
from alexnet_tf.training.loop import TrainingLoop
from alexnet_tf.training.schedule import Plateau
from tests.alexnet_tf.small_training import (
    MemorySplit,
    alexnet,
    alexnet_bn,
    compiled,
    four_layer,
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
        stop=stop,
    )


class Broken(Exception):
    pass


def break_after(steps):
    """Return an `advance` that raises once so many steps are taken."""
    taken = 0

    def advance(amount=1, **figures):
        nonlocal taken
        taken += amount
        if figures and taken >= steps:
            raise Broken

    return advance


@pytest.fixture
def often(monkeypatch):
    """One step a call, and so a checkpoint after each."""
    monkeypatch.setattr(fit_module, "SECONDS_PER_CALL", 0.0)


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


@pytest.mark.parametrize(
    ("network", "steps"),
    [
        (alexnet(weight_stddev=[0.1] * 8), 8),
        (alexnet_bn(), 6),
        (four_layer(), 7),
        *(pytest.param(alexnet_bn(), steps, marks=pytest.mark.slow) for steps in (1, 2, 7, 12, 18)),
    ],
)
def test_a_broken_off_training_goes_on_to_the_same_end(tmp_path, often, network, steps):
    def work():
        plateau = schedule(name="plateau", patience_epochs=1)
        return compiled(network, epochs=3, weight_averaging=0.9, lookahead=0.9, keep="best", schedule=plateau)

    whole = make(work()).run()
    started = time.monotonic()
    with pytest.raises(Broken):
        make(work(), tmp_path, advance=break_after(steps)).run()
    until_broken = time.monotonic() - started
    resumed = make(work(), tmp_path).run()
    assert resumed.history == whole.history
    assert resumed.epoch == whole.epoch
    # The step at which it broke off was not saved any more.
    assert resumed.steps_here == 18 - (steps - 1)
    assert whole.earlier == Spent()
    assert resumed.earlier.wall_seconds < until_broken
    # A training that broke off in its first step had saved nothing.
    assert (resumed.earlier.wall_seconds > 0) == (resumed.earlier.cpu_seconds > 0) == (steps > 1)
    for name, expected in whole.weights.items():
        np.testing.assert_array_equal(resumed.weights[name], expected, err_msg=name)


def test_a_checkpoint_is_written_when_the_interval_since_the_last_is_over(tmp_path, often, monkeypatch):
    seconds, saved = [0.0], []
    monkeypatch.setattr(fit_module, "time", SimpleNamespace(monotonic=lambda: seconds[0]))

    def advance(amount=1, **figures):
        seconds[0] += amount

    training_loop = make(compiled(epochs=2), tmp_path, advance=advance, interval=2.5)
    monkeypatch.setattr(training_loop, "_save", lambda: saved.append(seconds[0]))
    training_loop.run()
    assert saved == [3.0, 6.0, 9.0, 12.0]


def ask_after(stop, steps):
    """Return an `advance` that asks for a stop once so many steps are taken."""
    taken = 0

    def advance(amount=1, **figures):
        nonlocal taken
        taken += amount
        stop.asked = stop.asked or taken >= steps

    return advance


def test_a_repeated_epoch_says_the_same_numbers_again(tmp_path):
    """Of a metric that has two values at a step, MLflow calls the larger one the latest: of an error, the worse."""
    before, after = [], []
    stop = Stop()
    with pytest.raises(Stopped):  # saves in its first epoch
        make(compiled(epochs=3), tmp_path, advance=ask_after(stop, 1), interval=1e9, stop=stop).run()
    with pytest.raises(Broken):  # is killed in its second, and has saved nothing since
        make(compiled(epochs=3), tmp_path, rows=before, advance=break_after(8), interval=1e9).run()
    make(compiled(epochs=3), tmp_path, rows=after, interval=1e9).run()
    assert [row.epoch for row in before] == [1]
    assert [row.epoch for row in after] == [1, 2, 3]
    assert before == after[:1]


@pytest.mark.parametrize("steps", [1, 6, 8, 18])  # the first step, the end of an epoch, in its midst, the last step
def test_a_stopped_training_saves_that_step_and_goes_on_to_the_same_end(tmp_path, often, steps):
    def work():
        plateau = schedule(name="plateau", patience_epochs=1)
        return compiled(alexnet_bn(), epochs=3, weight_averaging=0.9, keep="best", schedule=plateau)

    whole = make(work()).run()
    stop = Stop()
    epoch = -(-steps // 6)
    message = rf"^stopped after step {steps} of 18, epoch {epoch} of 3; this is saved, and the same command goes on"
    with pytest.raises(Stopped, match=message):
        make(work(), tmp_path, advance=ask_after(stop, steps), interval=1e9, stop=stop).run()
    assert stop == Stop(asked=True, heeded=False)
    rows = []
    resumed = make(work(), tmp_path, rows=rows, interval=1e9).run()
    assert resumed.steps_here == 18 - steps
    assert rows == resumed.history == whole.history
    for name, expected in whole.weights.items():
        np.testing.assert_array_equal(resumed.weights[name], expected, err_msg=name)


def test_a_stop_after_the_last_step_saves_the_end(tmp_path, often, monkeypatch):
    whole = make(work := compiled(epochs=1)).run()
    stop, rows = Stop(), []
    training_loop = make(compiled(epochs=1), tmp_path / "one", interval=1e9, stop=stop)
    monkeypatch.setattr(training_loop, "_on_epoch", lambda row, _: setattr(stop, "asked", True))
    with pytest.raises(Stopped, match=r"stopped after step 6 of 6, epoch 1 of 1; this is saved"):
        training_loop.run()
    assert not stop.heeded
    again = make(other := compiled(epochs=1), tmp_path / "one", rows=rows).run()
    assert (again.steps_here, again.history, rows) == (0, whole.history, whole.history)
    for one, two in zip(work.model.weights, other.model.weights, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_stop_that_comes_in_a_validation_breaks_it_off(tmp_path, often, monkeypatch):
    stop, batches = Stop(), []
    work = training(epochs=2, weight_averaging=0.9)
    weights = []

    def logits(split, validate=work.validation_logits):
        for batch in validate(split):
            batches.append(batch)
            stop.asked = True
            yield batch

    monkeypatch.setattr(work, "validation_logits", logits)

    def advance(amount=1, **figures):
        weights.append(work.weights())

    with pytest.raises(Stopped, match="after step 6 of 12, epoch 1 of 2"):
        make(work, tmp_path, advance=advance, interval=1e9, stop=stop).run()
    assert len(batches) == 1  # of two
    for name, expected in weights[-1].items():  # not the averages, with which it was validating
        np.testing.assert_array_equal(work.weights()[name], expected, err_msg=name)
    resumed = make(compiled(epochs=2, weight_averaging=0.9), tmp_path).run()
    whole = make(compiled(epochs=2, weight_averaging=0.9)).run()
    assert resumed.history == whole.history
    for name, expected in whole.weights.items():
        np.testing.assert_array_equal(resumed.weights[name], expected, err_msg=name)


def test_a_stop_is_heeded_only_when_a_first_step_is_through(often):
    stop, heeded = Stop(), []
    make(compiled(epochs=1), advance=lambda amount=1, **figures: heeded.append(stop.heeded), stop=stop).run()
    assert heeded == [False, False, True, True, True, True, True]  # before the first one, then six steps
    assert not stop.heeded


def test_without_a_folder_a_stop_says_that_nothing_is_saved(often):
    stop = Stop(asked=True)
    with pytest.raises(Stopped, match="after step 0 of 12, epoch 1 of 2; there is no folder for checkpoints"):
        make(compiled(), stop=stop).run()


def test_a_finished_training_is_not_repeated(tmp_path, often):
    first = make(compiled(), tmp_path).run()
    again = make(compiled(), tmp_path).run()
    assert again.steps_here == 0
    assert again.history == first.history
    for name, expected in first.weights.items():
        np.testing.assert_array_equal(again.weights[name], expected)


def test_forgetting_deletes_the_checkpoint(tmp_path, often):
    fit = make(compiled(), tmp_path / "scratch")
    fit.run()
    assert (tmp_path / "scratch" / "checkpoint.safetensors").exists()
    fit.forget()
    assert not (tmp_path / "scratch").exists()
    make(compiled()).forget()  # without a folder there is nothing to delete


@pytest.mark.parametrize("content", [b"PK\x03\x04 not quite", b"", b"of another program"])
def test_a_damaged_or_foreign_file_is_refused_and_left_alone(tmp_path, content):
    (tmp_path / "checkpoint.safetensors").write_bytes(content)
    with pytest.raises(DataError, match=r"checkpoint\.safetensors is damaged or not a file of this project"):
        make(compiled(), tmp_path).run()
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == content


def test_a_truncated_checkpoint_is_refused(tmp_path, often):
    make(compiled(epochs=1), tmp_path).run()
    whole = (tmp_path / "checkpoint.safetensors").read_bytes()
    (tmp_path / "checkpoint.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"checkpoint\.safetensors is damaged"):
        make(compiled(epochs=1), tmp_path).run()


def test_the_checkpoint_of_another_training_is_refused(tmp_path, often):
    make(compiled(epochs=1), tmp_path / "ours").run()
    (tmp_path / "theirs").mkdir()
    (tmp_path / "ours" / "checkpoint.safetensors").rename(tmp_path / "theirs" / "checkpoint.safetensors")
    with pytest.raises(DataError, match=r"belongs to another training: expected the fingerprint theirs…, found ours…"):
        make(compiled(epochs=1), tmp_path / "theirs").run()


def test_a_checkpoint_that_does_not_fit_the_network_is_refused(tmp_path, often):
    make(compiled(alexnet_bn(), epochs=1), tmp_path).run()
    with pytest.raises(DataError, match=r"does not fit this training at .*; delete it, or train with --fresh"):
        make(compiled(alexnet_bn(dense_units=[8, 8]), epochs=1), tmp_path).run()


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
