"""Small networks, recipes and splits: everything that the tests of the engine train."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.models.four_layer_spec import FourLayerSpec
from alexnet_tf.models.specs import AlexNetBNSpec, AlexNetSpec, AugmentationSpec, InputSpec
from alexnet_tf.training.recipe import OptimizerSpec, ScheduleSpec, TrainingSpec

PAPER_BIAS = [0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0]


def alexnet(**changes) -> AlexNetSpec:
    """The paper's network with few kernels; 63-pixel crops reach pool5 as 1 x 1."""
    values = {
        "name": "alexnet",
        "filters": [8, 16, 16, 16, 16],
        "dense_units": [32, 32],
        "towers": 2,
        "left_out": "none",
        "activation": "relu",
        "lrn": True,
        "lrn_alpha": 1e-4,
        "lrn_beta": 0.75,
        "lrn_k": 2.0,
        "lrn_size": 5,
        "lrn_scope": "tower",
        "lrn_order": "after_relu",
        "same_map_normalization": False,
        "pooling": "overlapping",
        "dropout": 0.5,
        "dropout_scaling": "at_test",
        "weight_stddev": [0.01] * 8,
        "bias": PAPER_BIAS,
    }
    return AlexNetSpec.model_validate(values | changes)


def full_alexnet(**changes) -> AlexNetSpec:
    """The network with the paper's numbers of kernels and units (§3.5)."""
    sizes = {"filters": [96, 256, 384, 384, 256], "dense_units": [4096, 4096]}
    return alexnet(**sizes | changes)


PLAIN = alexnet(weight_stddev=[0.1] * 8)


def alexnet_bn(**changes) -> AlexNetBNSpec:
    values = {
        "name": "alexnet_bn",
        "filters": [4, 8, 8, 8, 8],
        "kernel_sizes": [3, 3, 3, 3, 3],
        "conv1": "learned",
        "conv1_stride": 1,
        "pools": [2, 2, 1, 1, 2],
        "pool_order": "before_norm",
        "dense_units": [16, 16],
        "activation": "relu",
        "batch_norm_momentum": 0.9,
        "batch_norm_scale": False,
        "initialization": "he",
        "logit_scale": 1.0,
        "dropout": 0.25,
    }
    return AlexNetBNSpec.model_validate(values | changes)


def four_layer(**changes) -> FourLayerSpec:
    """cuda-convnet's network with few kernels, and initial weights for inputs of unit size."""
    values = {
        "name": "four_layer",
        "filters": [8, 8],
        "local_filters": [6, 4],
        "activation": "relu",
        "lrn": True,
        "lrn_alpha": 2e-4,
        "lrn_beta": 0.75,
        "lrn_k": 1.0,
        "lrn_size": 5,
        "lrn_order": "before_pool",
        "weight_stddev": [0.1] * 5,
    }
    return FourLayerSpec.model_validate(values | changes)


def input_spec(**changes) -> InputSpec:
    return InputSpec.model_validate({"crop_size": 63, "mean": "channel", "divide_by": 1.0, "test_border": 0} | changes)


def optimizer(**changes) -> OptimizerSpec:
    values = {
        "name": "momentum",
        "learning_rate": 0.01,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 0.0005,
        "decay_form": "coupled",
        "bias_learning_rate_factor": 2.0,
        "bias_decay": False,
        "convolution_decay": True,
        "muon_learning_rate_factor": 0.1,
        "muon_momentum": 0.6,
    }
    return OptimizerSpec.model_validate(values | changes)


def schedule(**changes) -> ScheduleSpec:
    values = {
        "name": "steps",
        "drop_factor": 0.1,
        "max_drops": 3,
        "patience_epochs": 3,
        "drop_at": [0.25, 0.55, 0.84],
        "conv1_frozen_from": 1.0,
        "warmup_share": 0.0,
    }
    return ScheduleSpec.model_validate(values | changes)


def augmentation(**changes) -> AugmentationSpec:
    values = {
        "crop": "random",
        "crops_per": "image",
        "padding": 0,
        "flip": "random",
        "colour_noise": "sqrt_eigenvalue",
        "colour_noise_scale": 0.1,
        "colour_noise_until": 1.0,
        "jpeg_share": 0.0,
        "jpeg_quality": [50, 95],
    }
    return AugmentationSpec.model_validate(values | changes)


def recipe(**changes) -> TrainingSpec:
    values = {
        "epochs": 2,
        "global_batch_size": 8,
        "precision": "float32",
        "label_smoothing": 0.0,
        "weight_averaging": 0.0,
        "lookahead": 0.0,
        "keep": "last",
        "optimizer": optimizer(),
        "schedule": schedule(),
        "augmentation": augmentation(),
    }
    return TrainingSpec.model_validate(values | changes)


def images(count: int, side: int, *, seed: int = 0) -> np.ndarray:
    """Smooth random images, (count, side, side, 3) uint8; image n is bright in colour n % 3."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 120, (count, -(-side // 8), -(-side // 8), 3))
    pixels = np.kron(coarse, np.ones((1, 8, 8, 1), int))[:, :side, :side]
    for n in range(count):
        pixels[n, :, :, n % 3] += 120
    return pixels.astype(np.uint8)


@dataclass
class MemorySplit:
    """A `RecordDataset` in memory; image n has label n % 3."""

    pixels: np.ndarray
    size: int
    class_names: tuple[str, ...] = ("tench", "church", "golf ball")
    folder: Path = Path("records")

    @property
    def num_examples(self) -> int:
        return len(self.pixels)

    @property
    def stored_size(self) -> int:
        return self.pixels.shape[1]

    @property
    def labels(self) -> np.ndarray:
        return (np.arange(len(self.pixels)) % 3).astype(np.int32)

    def read(self, indices) -> np.ndarray:
        return self.pixels[np.asarray(indices)]


def split(count: int, side: int = 68, *, seed: int = 0) -> MemorySplit:
    return MemorySplit(images(count, side, seed=seed), side)


def training(network=None, *, strategy=None, train=None, seed: int = 3, crop_size: int = 63, **changes):
    """A `TrainStep` of 48 images unless `train` is given, on `strategy` or the default one."""
    import tensorflow as tf

    from alexnet_tf.models.views import Views, colour_axes
    from alexnet_tf.training.step import TrainStep

    how = recipe(**changes)
    train = train or split(48)
    views = Views.create(
        input_spec(crop_size=crop_size, divide_by=64.0),
        stored_size=train.stored_size,
        size=train.size,
        mean_image=np.full((train.size, train.size, 3), 100, np.float32),
        channel_mean=[100.0, 100.0, 100.0],
    )
    return TrainStep(
        network=network or PLAIN,
        recipe=how,
        views=views,
        colour_axes=colour_axes(how.augmentation, [900.0, 300.0, 100.0], np.eye(3)),
        train=train,
        seed=seed,
        strategy=strategy or tf.distribute.OneDeviceStrategy("CPU:0"),
        parallel_calls=2,
    )


_COMPILED: dict[str, tuple[Any, dict[str, np.ndarray]]] = {}


def compiled(network=None, *, strategy=None, **changes):
    """What `training` makes of these, compiled once in a session: its variables have their first values again.

    What follows a schedule is given to each step, so that one graph is for any length, rate and schedule.
    """
    network, how = network or PLAIN, recipe(**changes)
    constant = {"epochs": 1, "keep": "last", "schedule": schedule()}
    constant["optimizer"] = how.optimizer.model_copy(update={"learning_rate": 1.0})
    constant["augmentation"] = how.augmentation.model_copy(update={"colour_noise_until": 1.0})
    key = repr((network, strategy, how.model_copy(update=constant)))
    if key not in _COMPILED:
        made = training(network, strategy=strategy, **changes)
        _COMPILED[key] = made, {name: variable.numpy() for name, variable in made.variables.items()}
    made, first = _COMPILED[key]
    made.recipe, made.total_steps = how, how.epochs * made.batches.steps_per_epoch
    for name, variable in made.variables.items():
        variable.assign(first[name])
    return made
