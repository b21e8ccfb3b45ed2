"""A training that is broken off or stopped, its checkpoint, and how it goes on."""

import time
from types import SimpleNamespace

import numpy as np
import pytest

from alexnet_tf.errors import DataError, Stopped
from alexnet_tf.stop import Stop
from alexnet_tf.training import loop as fit_module
from alexnet_tf.training.checkpoint import Spent
from tests.alexnet_tf.small_training import (
    alexnet,
    alexnet_bn,
    compiled,
    four_layer,
    schedule,
    training,
)
from tests.alexnet_tf.training.test_loop import make


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
