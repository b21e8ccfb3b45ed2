"""One subject of `benchmarks.training` in a process of its own, so that its peak memory is its own.

    python -m benchmarks.subjects ours float32 128 5

Prints one line of JSON: seconds of each timed step, CPU-seconds of one, and the peak memory of the process in bytes.
Unless its name says otherwise, a subject trains the network of 2012 (two towers, LRN, 224-pixel crops, 1,000 classes)
with momentum and weight decay.
"""

import json
import tempfile
import time
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from pydantic import TypeAdapter

import alexnet_tf  # noqa: F401 - before TensorFlow, so that every subject has oneDNN
from alexnet_tf import profiles
from alexnet_tf.devices.peak_memory import peak_memory_bytes
from alexnet_tf.models.layer_table import layer_table
from alexnet_tf.models.specs import Network
from benchmarks.noise_records import CLASSES, SIZE, write_records
from benchmarks.peers import keras_fit, torch_step
from benchmarks.results import ROOT
from pipeline.environment.yaml_file import read

if TYPE_CHECKING:
    from alexnet_tf.training.step import TrainStep


WARM_UP = 2  # steps before those that are timed
SIZES = {  # sides in pixels of the images that are stored and of those that crops are taken from; classes
    "imagenet2012": (SIZE, SIZE, CLASSES),
    "cifar10": (32, 32, 10),
    "ablations_cifar10": (32, 128, 10),
}
IMAGES = 1000  # of the records that the real input reads, unless said otherwise


def product(precision: str, *_: int) -> Callable[[], float]:
    """Return a product of two 4096 x 4096 matrices; `benchmarks.performance_page` knows its arithmetic."""
    import tensorflow as tf

    matrix = tf.cast(tf.random.normal((4096, 4096)), precision)
    multiply = tf.function(lambda: tf.reduce_sum(tf.cast(tf.matmul(matrix, matrix)[0], tf.float32)))
    return lambda: float(multiply())


def described(experiment: str, variant: str) -> dict[str, Any]:
    """Return a variant of experiments/EXPERIMENT.yaml, with the values of its profile."""
    return profiles.resolve(read(ROOT / f"experiments/{experiment}.yaml")["variants"][variant])


def network_of(experiment: str, variant: str) -> Network:
    """Return the description of a variant's network."""
    return TypeAdapter(Network).validate_python(described(experiment, variant)["network"])


def flop_per_image(experiment: str = "imagenet2012", variant: str = "faithful") -> tuple[int, int]:
    """Return the arithmetic for one image, of the forward pass and of a training step.

    A step is the forward pass and both gradients, but none into the image; where conv1 is not learned, none of its
    kernels and none into its maps either.
    """
    crop_size = described(experiment, variant)["input"]["crop_size"]
    table = layer_table(network_of(experiment, variant), crop_size, SIZES[experiment][2])
    cost = {row.name: row.multiply_adds for row in table}
    frozen = any(row.name == "conv1" and row.untrained == row.parameters for row in table)
    total = sum(cost.values())
    left_out = 2 * cost["conv1"] + cost["conv2"] if frozen else cost["conv1"]
    return 2 * total, 2 * (3 * total - left_out)


def ours(precision: str, batch_size: int, images: int, *, real: bool) -> Callable[[], float]:
    """Return our whole step: augmentation, forward, backward, update; of one batch in memory, or of records on disk."""
    return stepping(*training_of("imagenet2012", "faithful", precision, batch_size, images), real=real)


def optimized(precision: str, batch_size: int, images: int) -> Callable[[], float]:
    """Return the whole step of `optimized` on images of CIFAR-10's size, of one batch in memory."""
    return stepping(*training_of("cifar10", "optimized", precision, batch_size, images), real=False)


def ablations(precision: str, batch_size: int, images: int) -> Callable[[], float]:
    """Return the whole step of the network whose parts docs/ablations.md takes away, of one batch in memory."""
    return stepping(*training_of("ablations_cifar10", "full", precision, batch_size, images), real=False)


def evaluation(precision: str, batch_size: int, images: int) -> Callable[[], float]:
    """Return the ten views of a batch through the network of 2012, from records, as the stage evaluate does."""
    from alexnet_tf.devices.inference import Inference
    from alexnet_tf.evaluation.evaluate import ten_view_logits
    from alexnet_tf.models.classifier import Classifier

    training, folder = training_of("imagenet2012", "faithful", precision, batch_size, batch_size)
    names = tuple(map(str, range(CLASSES)))
    classifier = Classifier(training.model, training.views, names, training.precision)
    inference = Inference(
        lambda inputs: ten_view_logits(classifier, inputs), strategy=training.strategy, batch_size=batch_size
    )

    def call(_keep=folder) -> float:
        [logits] = inference.logits(training.batches.split)
        return float(logits[0, 0, 0])

    return call


def stepping(training: "TrainStep", folder: tempfile.TemporaryDirectory, *, real: bool) -> Callable[[], float]:
    """Return one step of `training`, whose records are in `folder`."""
    import tensorflow as tf

    from alexnet_tf.training.schedule import Plateau

    batches = training.iterator(0)
    if not real:
        one = tf.data.Dataset.from_tensors(next(batches)).cache().repeat()
        batches = iter(training.strategy.experimental_distribute_dataset(one))
    step = iter(range(10**9))

    def call(_keep=folder) -> float:
        return float(training.run_steps(batches, next(step), 1, Plateau())[0][0])

    return call


def training_of(
    experiment: str, variant: str, precision: str, batch_size: int, images: int
) -> tuple["TrainStep", tempfile.TemporaryDirectory]:
    """Return a variant of an experiment in training on so many images of noise, and the folder that holds them."""
    from alexnet_tf.data.record_dataset import RecordDataset
    from alexnet_tf.devices.strategy import make_strategy
    from alexnet_tf.models.specs import InputSpec
    from alexnet_tf.models.views import Views, colour_axes
    from alexnet_tf.training.recipe import TrainingSpec
    from alexnet_tf.training.step import TrainStep

    values = described(experiment, variant)
    recipe = TrainingSpec.model_validate(
        values["training"] | {"precision": precision, "global_batch_size": batch_size, "epochs": 1000}
    )
    stored_size, size, classes = SIZES[experiment]
    views = Views.create(
        InputSpec.model_validate(values["input"]),
        stored_size=stored_size,
        size=size,
        mean_image=np.full((size, size, 3), 110, np.float32),
        channel_mean=[110.0] * 3,
    )
    folder = tempfile.TemporaryDirectory()
    write_records(Path(folder.name), images, size=stored_size, classes=classes)
    training = TrainStep(
        network=network_of(experiment, variant),
        recipe=recipe,
        views=views,
        colour_axes=colour_axes(recipe.augmentation, [15000.0, 1400.0, 400.0], np.eye(3)),
        train=RecordDataset.open(Path(folder.name), "train"),
        seed=0,
        strategy=make_strategy(),
        parallel_calls=2,
    )
    return training, folder


def lrn(precision: str, batch_size: int, *_: int) -> Callable[[], float]:
    """Return LRN alone of both layers and towers, forwards and backwards."""
    from benchmarks.lrn import MAPS, forward_and_backward

    calls = [forward_and_backward(precision, maps, "auto", batch_size) for maps in MAPS]

    def call() -> float:
        for each in calls:
            each()
        return 0.0

    return call


SUBJECTS: dict[str, Callable[[str, int, int], Callable[[], float]]] = {
    "matrix product": product,
    "ours": lambda precision, batch_size, images: ours(precision, batch_size, images, real=False),
    "ours, ten views of a test": evaluation,
    "ours, optimized for CIFAR-10": optimized,
    "our LRN alone": lrn,
    "ours, real data": lambda precision, batch_size, images: ours(precision, batch_size, images, real=True),
    "ours, ablations": ablations,
    "Keras fit": keras_fit,
    "PyTorch": torch_step,
}


@click.command(help=__doc__)
@click.argument("name", type=click.Choice(list(SUBJECTS)))
@click.argument("precision", type=click.Choice(("float32", "bfloat16")))
@click.argument("batch_size", type=click.IntRange(min=1))
@click.argument("steps", type=click.IntRange(min=1))
@click.argument("images", type=click.IntRange(min=1), default=IMAGES)
def main(name: str, precision: str, batch_size: int, steps: int, images: int) -> None:
    """Measure one subject."""
    call = SUBJECTS[name](precision, batch_size, images)
    timeit.repeat(call, "gc.enable()", repeat=WARM_UP, number=1)
    before = time.process_time()
    seconds = timeit.repeat(call, "gc.enable()", repeat=steps, number=1)
    cpu = (time.process_time() - before) / steps
    print(json.dumps({"seconds": seconds, "cpu_seconds_per_step": cpu, "peak_bytes": peak_memory_bytes()}))


if __name__ == "__main__":
    main()
