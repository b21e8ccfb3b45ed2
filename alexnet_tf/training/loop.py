"""The loop around the training step: epochs, validation, checkpoints, and the guards that stop a lost run."""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path

import numpy as np

from alexnet_tf.data.record_dataset import RecordDataset
from alexnet_tf.devices.precision import arithmetic
from alexnet_tf.devices.strategy import agreed, from_chief, has_other_workers, is_chief, naming_lost_workers
from alexnet_tf.errors import Stopped
from alexnet_tf.metrics.top_k import Predictions, join, score_center
from alexnet_tf.stop import Stop
from alexnet_tf.training import guards
from alexnet_tf.training.checkpoint import Checkpoint, Spent, State, Stopwatch
from alexnet_tf.training.history import Epoch, best_epoch
from alexnet_tf.training.step import TrainStep

SECONDS_PER_CALL = 1.0  # of training between two looks at the clock, and at whether it is to stop


@dataclass(frozen=True)
class TrainingResult:
    """How a training ended.

    Attributes:
        history: One row an epoch.
        weights: The result's arrays by path, such as `conv1/kernel`.
        epoch: The epoch that `weights` come from.
        stalled: Whether the last epoch's mean loss was still that of guessing, as in one too short for the guard.
        steps_here: Steps that this process took; fewer than all after a resume.
        earlier: What the steps before had cost, in earlier processes.
        checkpoint_seconds: Seconds that this process spent writing checkpoints.
    """

    history: list[Epoch]
    weights: dict[str, np.ndarray]
    epoch: int
    stalled: bool
    steps_here: int
    earlier: Spent
    checkpoint_seconds: float


class TrainingLoop:
    """One training from its first or its resumed step to its last.

    Args:
        training: The network and its step.
        validation: Scored after every epoch; must not be empty.
        folder: Where the checkpoint goes, of several workers the chief's alone; None keeps none. It must belong to
            this training alone: whoever names it makes sure that other params, data or code get another name.
        checkpoint_interval_seconds: Time between two checkpoints.
        advance: Called with a number of steps and the figures of each, float32: `loss` in nats and `top1_error`, a
            fraction; first with the number of the steps before a resume, without figures.
        on_epoch: Called with each epoch's row and its seconds; after a resume first with the rows of the epochs before,
            whose seconds, like those of an epoch of which a part was trained before, are None.
        stop: Ends the training early, with a checkpoint. It is heeded once a first call of steps is through: until
            then a step is compiled, which takes long and leaves nothing to save. Of several workers any one's is
            everybody's, at the end of the same step.
    """

    def __init__(
        self,
        training: TrainStep,
        validation: RecordDataset,
        *,
        folder: Path | None,
        checkpoint_interval_seconds: float,
        advance: Callable[..., None],
        on_epoch: Callable[[Epoch, float | None], None],
        stop: Stop,
    ):
        self._training, self._validation = training, validation
        self._checkpoint = None if folder is None else Checkpoint(folder, arithmetic(training.precision))
        self._interval = checkpoint_interval_seconds
        self._advance, self._on_epoch = advance, on_epoch
        self._stop = stop
        self._state = State(training.total_steps, training.batches.steps_per_epoch)
        self._best: dict[str, np.ndarray] = {}
        self._checkpoint_seconds = 0.0
        self._stopwatch = Stopwatch()

    def run(self) -> TrainingResult:
        """Train to the end.

        Raises:
            TrainingError: When a loss or a weight is not finite, the loss stayed that of guessing, or a worker is gone.
            DataError: When the checkpoint is damaged, or that of another training.
            Stopped: When it was asked to end early.
        """
        with naming_lost_workers("worker 0's last checkpoint"):
            self._resume()
            first_step = self._state.step
            self._advance(first_step)
            for row in self._state.history:
                self._on_epoch(row, None)
            try:
                self._train()
            finally:
                self._stop.heeded = False
            return self._result(first_step)

    def _train(self) -> None:
        training, state = self._training, self._state
        iterator = training.iterator(state.step)
        num_steps, saved_at = 1, time.monotonic()
        epoch_started = None if state.losses else time.monotonic()
        while state.step < training.total_steps or state.epoch_is_over:
            if not state.epoch_is_over:  # as where it was stopped before the validation
                num_steps = self._take_steps(iterator, num_steps)
                self._stop.heeded = True
            if state.epoch_is_over:
                self._end_epoch()
                self._on_epoch(state.history[-1], time.monotonic() - epoch_started if epoch_started else None)
                epoch_started = time.monotonic()
            if time.monotonic() - saved_at > self._interval:
                self._save()
                saved_at = time.monotonic()
        # From here on a signal breaks the work off. One that came after the last look of the loop was taken as a wish.
        self._stop.heeded = False
        self._agreed_unless_stopped(0)

    def _take_steps(self, iterator: Iterator, num_steps: int) -> int:
        """Take so many steps, within the epoch, and return how many to take in the next call."""
        training, state = self._training, self._state
        started = time.monotonic()
        # TensorFlow names a sum by its round in the compiled loop: workers must take equally many steps a call.
        num_steps = self._agreed_unless_stopped(min(num_steps, self._steps_left_in_epoch()))
        losses, errors = training.run_steps(iterator, state.step, num_steps, state.plateau)
        state.step += num_steps
        state.losses += losses.tolist()
        state.errors += errors.tolist()
        self._advance(num_steps, loss=losses, top1_error=errors)
        seconds_per_step = (time.monotonic() - started) / num_steps
        return max(1, min(100, round(SECONDS_PER_CALL / max(seconds_per_step, 1e-6))))

    def _agreed_unless_stopped(self, number: int) -> int:
        """Return the chief's number; where any worker is asked to stop, save and raise instead."""
        strategy = self._training.strategy
        number, stopped = agreed(strategy, number, self._stop.asked)
        if not stopped:
            return number
        self._save()
        agreed(strategy, 0, False)  # whoever left before the chief has saved would take it along
        if self._checkpoint is None:
            raise Stopped(f"stopped after {self._state}; there is no folder for checkpoints, so nothing is saved")
        raise Stopped(f"stopped after {self._state}; this is saved, and the same command goes on from there")

    def forget(self) -> None:
        """Delete the checkpoint, so that the training begins anew.

        Raises:
            OSError: It cannot be deleted.
        """
        if self._checkpoint is not None:
            self._checkpoint.delete()

    def _steps_left_in_epoch(self) -> int:
        steps = self._state.steps_per_epoch
        return steps - self._state.step % steps

    def _validated(self) -> Predictions:
        training, state = self._training, self._state
        guards.check_stalled(
            state.losses,
            step=state.step,
            total_steps=training.total_steps,
            loss_range=training.loss_range,
            network=training.model.spec,
        )
        with closing(training.validation_logits(self._validation)) as batches:
            scored = score_center(takewhile(lambda _: not self._stop.asked, batches), self._validation.labels)
        self._agreed_unless_stopped(0)
        return join(scored)

    def _end_epoch(self) -> None:
        training, state = self._training, self._state
        predictions = self._validated()
        rates, _ = training.learning_rates(state.step - 1, 1, state.plateau)
        row = Epoch(
            epoch=state.step // state.steps_per_epoch,
            step=state.step,
            learning_rate=float(rates[0]),
            train_loss=math.fsum(state.losses) / len(state.losses),
            train_top1_error=math.fsum(state.errors) / len(state.errors),
            validation_loss=math.fsum(predictions.losses) / len(predictions.losses),
            validation_top1_error=predictions.error(1),
            validation_top5_error=predictions.error(5) if 5 in predictions.scores else None,
        )
        # On other processors the chief's validation may round another way, and its error sets everybody's rate.
        row = Epoch(**json.loads(from_chief(training.strategy, json.dumps(asdict(row)).encode())))
        if training.recipe.keep == "best" and row.validation_top1_error < state.plateau.best_error:
            self._best = self._result_weights()
        state.history.append(row)
        state.plateau = state.plateau.after_epoch(training.recipe.schedule, row.validation_top1_error)
        state.losses, state.errors = [], []

    def _result_weights(self) -> dict[str, np.ndarray]:
        with self._training.averaged():
            return self._training.weights()

    def _result(self, first_step: int) -> TrainingResult:
        history = self._state.history
        if self._training.recipe.keep == "last":
            kept, weights = history[-1], self._result_weights()
        else:
            kept, weights = best_epoch(history), self._best
        return TrainingResult(
            history=history,
            weights=weights,
            epoch=kept.epoch,
            stalled=self._training.loss_range.has_stalled(history[-1].train_loss),
            steps_here=self._state.step - first_step,
            earlier=self._stopwatch.earlier,
            checkpoint_seconds=self._checkpoint_seconds,
        )

    def _resume(self) -> None:
        if (checkpoint := self._checkpoint) is None:
            return
        strategy = self._training.strategy
        mine = checkpoint.read() if is_chief(strategy) else b""
        if is_chief(strategy) and has_other_workers(strategy) and not mine:
            self._save()  # all begin with the chief's weights: on other processors they may be drawn another way
            mine = checkpoint.read()
        if content := from_chief(strategy, mine):
            self._state, self._best = checkpoint.restore(content, self._training.variables)
            if self._state.step:  # else it is this process's own time
                self._stopwatch.earlier = self._state.spent

    def _save(self) -> None:
        if self._checkpoint is None or not is_chief(self._training.strategy):
            return
        started = time.monotonic()
        self._state.spent = self._stopwatch.read()
        variables = {name: variable.numpy() for name, variable in self._training.variables.items()}
        self._checkpoint.save(self._state, variables, self._best)
        self._checkpoint_seconds += time.monotonic() - started
