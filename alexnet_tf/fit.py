"""The loop around the training step: epochs, validation, checkpoints, and the guards that stop a lost run."""

import math
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.errors import TrainingError
from alexnet_tf.record_split import RecordSplit
from alexnet_tf.schedule import Plateau
from alexnet_tf.scoring import score_center
from alexnet_tf.training import Training
from alexnet_tf.weights import load_arrays, save_arrays

SECONDS_PER_CALL = 1.0  # of training between two looks at the clock
SECONDS_BETWEEN_CHECKPOINTS = 120.0
STALL_SHARE_OF_LN_K = 0.98  # a mean loss above this share of ln K has learnt nothing but the class frequencies
STALL_STEPS = (500, 5000)  # look for a stall after 10 % of the steps, held within these


@dataclass(frozen=True)
class Epoch:
    """A row of the history. Errors are fractions, losses nats, and the learning rate is that of the last step."""

    epoch: int
    step: int
    learning_rate: float
    train_loss: float
    train_top1_error: float
    validation_loss: float
    validation_top1_error: float
    validation_top5_error: float | None


@dataclass
class _State:
    """All that decides how a training goes on, besides the variables."""

    step: int = 0
    plateau: Plateau = field(default_factory=Plateau)
    history: list[Epoch] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "_State":
        history = [Epoch(**row) for row in values["history"]]
        return cls(**{**values, "plateau": Plateau(**values["plateau"]), "history": history})


@dataclass(frozen=True)
class Fitted:
    """How a training ended.

    Attributes:
        history: One row an epoch.
        weights: The result's arrays by path, such as `conv1/kernel`.
        epoch: The epoch that `weights` come from.
        steps_here: Steps that this process took; fewer than all after a resume.
    """

    history: list[Epoch]
    weights: dict[str, np.ndarray]
    epoch: int
    steps_here: int


class Fit:
    """One training from its first or its resumed step to its last.

    Args:
        training: The network and its step.
        validation: Scored after every epoch; must not be empty.
        folder: Where checkpoints go; None keeps none. It must belong to this training alone: whoever names it
            makes sure that other parameters, data or code get another folder.
        advance: Called with a number of steps and figures to show.
        on_epoch: Called with each finished epoch's row and its seconds.
    """

    def __init__(
        self,
        training: Training,
        validation: RecordSplit,
        *,
        folder: Path | None,
        advance: Callable[..., None],
        on_epoch: Callable[[Epoch, float], None],
    ):
        self._training, self._validation = training, validation
        self._path = None if folder is None else folder / "checkpoint.npz"
        self._advance, self._on_epoch = advance, on_epoch
        self._state = _State()
        self._best: dict[str, np.ndarray] = {}

    def run(self) -> Fitted:
        """Train to the end.

        Raises:
            TrainingError: When the loss is not finite, or has stayed at ln K.
            DataError: When the checkpoint is damaged.
        """
        training = self._training
        self._resume()
        state = self._state
        first_step = state.step
        self._advance(first_step)
        iterator = training.iterator(first_step)
        num_steps, saved_at, epoch_started = 1, time.monotonic(), time.monotonic()
        while state.step < training.total_steps:
            started = time.monotonic()
            num_steps = min(num_steps, self._steps_left_in_epoch())
            losses, errors = training.run_steps(iterator, state.step, num_steps, state.plateau)
            self._check_finite(losses)
            state.step += num_steps
            state.losses += losses.tolist()
            state.errors += errors.tolist()
            self._advance(num_steps, loss=float(losses[-1]), top1_error=float(np.mean(errors)))
            seconds_per_step = (time.monotonic() - started) / num_steps
            num_steps = max(1, min(100, round(SECONDS_PER_CALL / max(seconds_per_step, 1e-6))))
            if state.step % training.batches.steps_per_epoch == 0:
                self._check_stalled()
                self._end_epoch()
                self._on_epoch(state.history[-1], time.monotonic() - epoch_started)
                epoch_started = time.monotonic()
            if time.monotonic() - saved_at > SECONDS_BETWEEN_CHECKPOINTS:
                self._save()
                saved_at = time.monotonic()
        return self._fitted(first_step)

    def forget(self) -> None:
        """Delete the checkpoint, once the result is safe elsewhere."""
        if self._path is not None:
            shutil.rmtree(self._path.parent, ignore_errors=True)

    def _steps_left_in_epoch(self) -> int:
        steps = self._training.batches.steps_per_epoch
        return steps - self._state.step % steps

    def _end_epoch(self) -> None:
        training, state = self._training, self._state
        predictions = score_center(training.validation_logits(self._validation), self._validation.labels)
        top1_error = predictions.error(1)
        rates, _ = training.learning_rates(state.step - 1, 1, state.plateau)
        row = Epoch(
            epoch=state.step // training.batches.steps_per_epoch,
            step=state.step,
            learning_rate=float(rates[0]),
            train_loss=math.fsum(state.losses) / len(state.losses),
            train_top1_error=math.fsum(state.errors) / len(state.errors),
            validation_loss=math.fsum(predictions.losses) / len(predictions.losses),
            validation_top1_error=top1_error,
            validation_top5_error=predictions.error(5) if 5 in predictions.scores else None,
        )
        if training.recipe.keep == "best" and top1_error < state.plateau.best_error:
            self._best = self._result_weights()
        state.history.append(row)
        state.plateau = state.plateau.after_epoch(training.recipe.schedule, top1_error)
        state.losses, state.errors = [], []

    def _result_weights(self) -> dict[str, np.ndarray]:
        with self._training.averaged():
            return {
                name.removeprefix("weights/"): variable.numpy()
                for name, variable in self._training.variables.items()
                if name.startswith("weights/")
            }

    def _fitted(self, first_step: int) -> Fitted:
        history = self._state.history
        if self._training.recipe.keep == "last":
            epoch, weights = history[-1].epoch, self._result_weights()
        else:
            epoch, weights = min((row.validation_top1_error, row.epoch) for row in history)[1], self._best
        return Fitted(history, weights, epoch, self._state.step - first_step)

    def _check_finite(self, losses: np.ndarray) -> None:
        bad = np.flatnonzero(~np.isfinite(losses))
        if len(bad):
            raise TrainingError(
                f"the loss is {losses[bad[0]]} at step {self._state.step + bad[0] + 1} of "
                f"{self._training.total_steps}: training diverged; lower training.optimizer.learning_rate (now "
                f"{self._training.recipe.optimizer.learning_rate}) or check input.divide_by"
            )

    def _check_stalled(self) -> None:
        low, high = STALL_STEPS
        state, training = self._state, self._training
        if state.step < min(max(training.total_steps // 10, low), high):
            return
        mean, ceiling = math.fsum(state.losses) / len(state.losses), math.log(training.model.num_classes)
        if mean > STALL_SHARE_OF_LN_K * ceiling:
            raise TrainingError(
                f"the mean loss of the epoch that ends at step {state.step} is {mean:.4f}, still ln K = {ceiling:.4f} "
                f"for "
                f"{training.model.num_classes} classes: nothing was learnt; try another seed, "
                "profile: original (conv3-5 start at 0.03), or profile: caffe (biases 0.1)"
            )

    def _resume(self) -> None:
        if self._path is None or not self._path.exists():
            return
        arrays, meta = load_arrays(self._path)
        self._state = _State.from_json(meta)
        self._best = {name.removeprefix("best/"): arrays.pop(name) for name in list(arrays) if name.startswith("best/")}
        for name, variable in self._training.variables.items():
            variable.assign(arrays[name])

    def _save(self) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {name: variable.numpy() for name, variable in self._training.variables.items()}
        save_arrays(
            self._path,
            arrays | {f"best/{name}": value for name, value in self._best.items()},
            self._state.to_json(),
        )


def history_columns() -> list[str]:
    """Return the columns of `history.csv`, in order."""
    return [column.name for column in fields(Epoch)]
