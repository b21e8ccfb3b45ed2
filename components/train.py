"""Train one variant under `tf.distribute.MirroredStrategy`.

Reads:
    records: images of the splits `train` and `validation` (layout: `components.preprocess`).
    statistics: mean image and colour axes of the training split (layout: `components.statistics`).

Writes:
    model: `model.json`, `weights.safetensors`, `mean.npy` (layout: `alexnet_tf.models.classifier`).
    report: `history.csv`, one row an epoch; `metrics.json`, the last epoch's errors, the best epoch's, `stalled`:
        whether the last epoch's mean loss was still that of guessing, and `precision_bits`: 16 where layers computed in
        bfloat16, else 32.

Guarantees:
    The result is a function of params and inputs, rounded as the kind of machine does: order, crops, flips, noise and
    dropout come from (seed, step, position in the global batch). Stopped or killed at any moment and started again it
    ends at the same weights, on CPUs bit by bit. On GPUs this was not measured. By the documentation of TensorFlow and
    cuDNN, gradients of convolutions and of max pooling may differ from run to run there unless the variable
    TF_DETERMINISTIC_OPS is 1.

Fails when:
    the batch does not divide among the replicas, the crop does not fit the image, a loss or an updated weight is not
    finite, the loss has stayed that of guessing, or the statistics are of images of another size or number than the
    training split.
"""

import statistics as stats
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationInfo, field_validator

from alexnet_tf.errors import ConfigError, DataError
from alexnet_tf.models.layer_table import layer_table
from alexnet_tf.models.specs import InputSpec, Network
from alexnet_tf.training.history import Epoch, best_epoch, charted, write_history
from alexnet_tf.training.recipe import TrainingSpec
from alexnet_tf.whole_file import write_json
from components.interfaces import Runtime, Seed, StageParams, Task

if TYPE_CHECKING:  # TensorFlow takes seconds to import
    import numpy as np

    from alexnet_tf.data.colour_statistics import ColourStatistics
    from alexnet_tf.data.record_dataset import RecordDataset
    from alexnet_tf.models.views import Views
    from alexnet_tf.training.loop import TrainingResult
    from alexnet_tf.training.step import TrainStep


@dataclass(frozen=True)
class Inputs:
    """What the stage reads."""

    records: Path
    statistics: Path


@dataclass(frozen=True)
class Outputs:
    """What the stage writes."""

    model: Path
    report: Path


class Params(StageParams):
    """What changes the result.

    Attributes:
        seed: Fixes all randomness.
        input: How images become the network's input.
        network: What is trained.
        training: How.
    """

    seed: Seed
    input: InputSpec
    network: Network
    training: TrainingSpec

    @field_validator("network")
    @classmethod
    def _takes_the_crop(cls, network: Network, info: ValidationInfo) -> Network:
        if "input" in info.data:  # else that is the error
            crop_size = info.data["input"].crop_size
            try:
                layer_table(network, crop_size, num_classes=2)
            except ValueError as error:
                raise ValueError(f"{error}, got input.crop_size {crop_size}") from error
        return network

    @field_validator("training")
    @classmethod
    def _has_norms_to_keep(cls, training: TrainingSpec, info: ValidationInfo) -> TrainingSpec:
        name = info.data["network"].name if "network" in info.data else "alexnet_bn"  # else that is the error
        if training.optimizer.name == "muon" and name != "alexnet_bn":
            raise ValueError(
                "optimizer.name muon keeps the norms of kernels, so that batch normalization has to follow them: "
                f"network.name must be alexnet_bn, got {name}"
            )
        return training


def run(inputs: Inputs, outputs: Outputs, params: Params, runtime: Runtime) -> str:
    """Train, and write the model and its history."""
    from alexnet_tf.devices.precision import BITS, arithmetic, choose_precision
    from alexnet_tf.devices.strategy import (
        make_training_strategy,
        naming_lost_workers,
        require_equal_shares,
        require_same_training,
    )
    from alexnet_tf.models.classifier import Classifier, write_classifier
    from alexnet_tf.models.views import colour_axes
    from alexnet_tf.models.weights import assign_arrays
    from alexnet_tf.training import guards
    from alexnet_tf.training.loop import TrainingLoop
    from alexnet_tf.training.step import TrainStep

    train, validation = _open_splits(inputs)
    colours = _open_statistics(inputs, train)
    views = _views(params, train, colours)
    strategy = make_training_strategy(runtime.devices)
    with naming_lost_workers("worker 0's last checkpoint, or its beginning where there is none"):
        precision = choose_precision(params.training.precision, strategy)
        require_same_training(strategy, runtime.scratch.name if runtime.scratch else "", arithmetic(precision))
        require_equal_shares(params.training.global_batch_size, strategy)
        training = TrainStep(
            network=params.network,
            recipe=params.training,
            views=views,
            colour_axes=colour_axes(params.training.augmentation, colours.eigenvalues, colours.eigenvectors),
            train=train,
            seed=params.seed,
            strategy=strategy,
            parallel_calls=runtime.input_parallel_calls,
        )
    if told := guards.too_short(params.network, params.training, training.total_steps, len(train.class_names)):
        runtime.progress.line(f"warning: {told}")

    started = time.perf_counter()
    with runtime.progress.task("train", total=training.total_steps, unit="steps") as task:
        reporter = _Reporter(runtime, task, params.training.epochs, training.batches.steps_per_epoch)
        loop = TrainingLoop(
            training,
            validation,
            folder=runtime.scratch,
            checkpoint_interval_seconds=runtime.checkpoint_interval_seconds,
            advance=reporter.advance,
            on_epoch=reporter.on_epoch,
            stop=runtime.stop,
        )
        if runtime.fresh:
            loop.forget()
        result = loop.run()
    runtime.tracker.metrics(_costs(result, training, time.perf_counter() - started, reporter.epoch_seconds))
    runtime.tracker.tags({"devices": ", ".join(strategy.extended.worker_devices)})

    assign_arrays(training.model, result.weights, source="the training")
    write_classifier(outputs.model, Classifier(training.model, views, tuple(train.class_names), training.precision))
    _write_report(outputs.report, result, BITS[training.precision])
    runtime.tracker.artifact(outputs.report / "history.csv", folder="training")
    return _found(result)


def _costs(result: "TrainingResult", made: "TrainStep", seconds: float, epochs: Sequence[float]) -> dict[str, float]:
    """Name what the steps of this process cost, and of a resumed training those before."""
    found = {}
    if result.steps_here:
        images = result.steps_here * made.recipe.global_batch_size
        found["cost/images_per_second"] = images / seconds
        found["cost/checkpoint_share"] = result.checkpoint_seconds / seconds
    if result.steps_here < made.total_steps:  # for whoever sums up what the run has cost
        found |= {f"cost/earlier_{name}": value for name, value in asdict(result.earlier).items()}
    if epochs:  # the first one here also pays for compiling the step; with more than one it is left out
        found["cost/seconds_per_epoch"] = stats.median(epochs[1:] or epochs)
    return found


def _open_splits(inputs: Inputs) -> "tuple[RecordDataset, RecordDataset]":
    """Open the training and the validation images."""
    from alexnet_tf.data.record_dataset import RecordDataset

    train = RecordDataset.open(inputs.records, "train")
    validation = RecordDataset.open(inputs.records, "validation")
    if validation.num_examples == 0:
        raise DataError(
            f"{inputs.records} has no validation images: all were rejected, see `rejected` in its manifest.json; "
            "repair or replace them and run `dvc repro -f download`"
        )
    if len(train.class_names) < 2:
        raise DataError(
            f"{inputs.records} holds images of {', '.join(train.class_names) or 'no class'} alone, so there is nothing "
            "to learn; take a source with at least two classes"
        )
    return train, validation


def _open_statistics(inputs: Inputs, train: "RecordDataset") -> "ColourStatistics":
    """Read the statistics of these training images."""
    from alexnet_tf.data.colour_statistics import ColourStatistics

    colours = ColourStatistics.load(inputs.statistics)
    if (colours.size, colours.num_images) != (train.size, train.num_examples):
        raise DataError(
            f"{inputs.statistics} is of {colours.num_images:,} images of {colours.size} pixels, but {inputs.records} "
            f"has {train.num_examples:,} of {train.size} to train on: run the stage statistics"
        )
    return colours


def _views(params: Params, train: "RecordDataset", colours: "ColourStatistics") -> "Views":
    """Return what turns the stored images into the network's input."""
    from alexnet_tf.models.views import Views

    if (padding := params.training.augmentation.padding) >= train.size:
        raise ConfigError(
            f"training.augmentation.padding mirrors the image at its border, so it must be less than the image size "
            f"{train.size}, got {padding}"
        )
    try:
        return Views.create(
            params.input,
            stored_size=train.stored_size,
            size=train.size,
            mean_image=colours.mean_image,
            channel_mean=colours.channel_mean,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error


class _Reporter:
    """Shows and tracks how a training goes on.

    Attributes:
        epoch_seconds: Of each epoch that was trained here from its first step.
    """

    def __init__(self, runtime: Runtime, task: Task, epochs: int, steps_per_epoch: int):
        self._runtime, self._task = runtime, task
        self._epochs, self._steps_per_epoch = epochs, steps_per_epoch
        self._steps_taken = 0
        self.epoch_seconds: list[float] = []

    def advance(self, num_steps: int, **figures: "np.ndarray") -> None:
        """As `TrainingLoop` calls it after some steps."""
        if figures:
            named = {f"train/{name}": each.tolist() for name, each in figures.items()}
            self._runtime.tracker.step_metrics(named, first=self._steps_taken + 1)
        self._steps_taken += num_steps
        epoch = -(-self._steps_taken // self._steps_per_epoch)
        means = {name: float(each.mean()) for name, each in figures.items()}
        self._task.advance(num_steps, epoch=f"{max(epoch, 1)} of {self._epochs}", **means)

    def on_epoch(self, row: Epoch, seconds: float | None) -> None:
        """As `TrainingLoop` calls it after an epoch."""
        self._runtime.progress.line(_epoch_line(row, self._epochs, seconds))
        timed = {}
        if seconds is not None:
            self.epoch_seconds.append(seconds)
            timed = {"perf/epoch_seconds": seconds}
        self._runtime.tracker.metrics(charted(asdict(row)) | timed, step=row.epoch)


def _epoch_line(row: Epoch, epochs: int, seconds: float | None) -> str:
    took = "" if seconds is None else f", {seconds:.1f} s"
    return (
        f"epoch {row.epoch} of {epochs}: training error {100 * row.train_top1_error:.1f} %, validation error "
        f"{100 * row.validation_top1_error:.1f} %, learning rate {row.learning_rate:.3g}{took}"
    )


def _found(result: "TrainingResult") -> str:
    last, best = result.history[-1], best_epoch(result.history)
    lowest = "the lowest"
    if best.epoch != last.epoch:
        lowest += f" is {100 * best.validation_top1_error:.1f} % after epoch {best.epoch}"
    return (
        f"validation error {100 * last.validation_top1_error:.1f} % after epoch {last.epoch} ({lowest}), training "
        f"error {100 * last.train_top1_error:.1f} %; the weights of epoch {result.epoch} are kept"
        f"{', but the loss is still that of guessing' * result.stalled}"
    )


def _write_report(folder: Path, result: "TrainingResult", precision_bits: int) -> None:
    folder.mkdir()
    write_history(folder / "history.csv", result.history)
    metrics = {
        "kept_epoch": result.epoch,
        "stalled": result.stalled,
        "precision_bits": precision_bits,
        "last": asdict(result.history[-1]),
        "best": asdict(best_epoch(result.history)),
    }
    write_json(folder / "metrics.json", metrics)
