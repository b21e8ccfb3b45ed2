"""The training step and the variables that it moves, under any number of replicas.

A step is a pure function of (seed, step, variables): order, crops, flips, colour noise and dropout all come from
`RandomStreams`. What has to be kept to go on later is in `TrainStep.variables`.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager

import numpy as np
import tensorflow as tf

from alexnet_tf.data.record_dataset import RecordDataset
from alexnet_tf.devices.inference import Inference
from alexnet_tf.devices.precision import Precision, choose_precision
from alexnet_tf.errors import DataError, TrainingError
from alexnet_tf.models import networks
from alexnet_tf.models.specs import AlexNetBNSpec, Network
from alexnet_tf.models.views import Views, center_logits
from alexnet_tf.models.weights import model_arrays, named_variables
from alexnet_tf.models.whitening import whiten, whitening_images
from alexnet_tf.random_streams import RandomStreams
from alexnet_tf.training import guards
from alexnet_tf.training.batches import Batches
from alexnet_tf.training.ema import WeightAverages
from alexnet_tf.training.lookahead import Lookahead, kept_share
from alexnet_tf.training.optimizer import OPTIMIZERS
from alexnet_tf.training.recipe import TrainingSpec
from alexnet_tf.training.schedule import Plateau, conv1_factor, learning_rate_factor


class TrainStep:
    """A network in training: its variables, its velocities, and the compiled step.

    Args:
        network: What to train.
        recipe: How.
        views: How stored images become inputs.
        colour_axes: float32 (3, 3), see `views.colour_axes`.
        train: The images to learn from.
        seed: Fixes initial weights, order and all noise.
        strategy: The replicas.
        parallel_calls: Batches that are read at once.
    """

    def __init__(
        self,
        *,
        network: Network,
        recipe: TrainingSpec,
        views: Views,
        colour_axes: np.ndarray,
        train: RecordDataset,
        seed: int,
        strategy: tf.distribute.Strategy,
        parallel_calls: int,
    ):
        self.recipe, self.views, self.strategy, self.seed = recipe, views, strategy, seed
        self.precision: Precision = choose_precision(recipe.precision, strategy)
        self.batches = Batches(train, recipe.global_batch_size, seed, parallel_calls, recipe.augmentation)
        if self.batches.steps_per_epoch == 0:
            raise DataError(
                f"the training split has {train.num_examples} images, fewer than training.global_batch_size = "
                f"{recipe.global_batch_size}; use a smaller batch or more images"
            )
        self.total_steps = recipe.epochs * self.batches.steps_per_epoch
        num_classes = len(train.class_names)
        self.loss_range = guards.LossRange.of(train.labels, num_classes, recipe.label_smoothing)
        self._colour_axes = colour_axes
        with strategy.scope():
            self.model = networks.build(
                network,
                crop_size=views.crop_size,
                num_classes=num_classes,
                seed=seed,
                precision=self.precision,
            )
            if isinstance(network, AlexNetBNSpec) and network.conv1 == "whitening":
                whiten(self.model, views.center(train.read(whitening_images(train.num_examples))))
            self.optimizer = OPTIMIZERS[recipe.optimizer.name](
                recipe.optimizer, self.model.trainable_variables, self.precision
            )
            # The moving statistics of the last weights do not fit averaged weights.
            moving = [each for each in self.model.weights if each.path.endswith(("/moving_mean", "/moving_variance"))]
            averaged = [variable.value for variable in [*self.model.trainable_variables, *moving]]
            self._lookahead = Lookahead(averaged, on=recipe.lookahead > 0)
            self._averages = WeightAverages(averaged, recipe.weight_averaging)
        self._run: Callable | None = None
        self._inference = Inference(
            lambda images: center_logits(self.model, views, images),
            strategy=strategy,
            batch_size=recipe.global_batch_size,
        )

    def iterator(self, first_step: int) -> Iterator:
        """Return the batches from `first_step` to the end of the training."""
        return iter(self.batches.dataset(self.strategy, first_step, self.total_steps))

    def learning_rates(self, first_step: int, num_steps: int, plateau: Plateau) -> tuple[np.ndarray, np.ndarray]:
        """Return ε of each of the next steps, float32 (num_steps,), and conv1's."""
        schedule, initial = self.recipe.schedule, self.recipe.optimizer.learning_rate
        steps = range(first_step, first_step + num_steps)
        rates = [initial * learning_rate_factor(schedule, step, self.total_steps, plateau) for step in steps]
        conv1 = [conv1_factor(schedule, step, self.total_steps) for step in steps]
        return np.array(rates, np.float32), np.array(rates, np.float32) * np.array(conv1, np.float32)

    def colour_noise_on(self, first_step: int, num_steps: int) -> np.ndarray:
        """Return whether each of the next steps has colour noise, bool (num_steps,)."""
        shares = np.arange(first_step, first_step + num_steps) / self.total_steps
        return shares < self.recipe.augmentation.colour_noise_until

    def lookahead_shares(self, first_step: int, num_steps: int) -> np.ndarray:
        """Return what slow weights keep at each of the next steps, float32 (num_steps,)."""
        steps = range(first_step, first_step + num_steps)
        return np.array([kept_share(self.recipe.lookahead, step, self.total_steps) for step in steps], np.float32)

    def run_steps(self, iterator: Iterator, first_step: int, num_steps: int, plateau: Plateau):
        """Take steps in one host call.

        Args:
            iterator: Its next batch is that of `first_step`.
            first_step: Number of the first step.
            num_steps: How many.
            plateau: Fixes the learning rate when the schedule is `plateau`.

        Returns:
            float32 (num_steps,): the loss of each step's global batch in nats, and the share of its images whose
            most likely class was wrong.

        Raises:
            DataError: The records cannot be read.
            TrainingError: A loss, or a weight after its update, is not finite, or the device has too little memory.
        """
        rates, conv1_rates = self.learning_rates(first_step, num_steps, plateau)
        self._run = self._run or self._traced(iterator)
        try:
            noise_on = self.colour_noise_on(first_step, num_steps)
            shares = self.lookahead_shares(first_step, num_steps)
            figures = self._run(iterator, *map(tf.constant, (first_step, rates, conv1_rates, shares, noise_on)))
            losses, errors, sums = (each.numpy() for each in figures)
        except tf.errors.ResourceExhaustedError as error:
            raise TrainingError(
                f"step {first_step + 1}: too little memory for training.global_batch_size = "
                f"{self.recipe.global_batch_size} on {self.strategy.num_replicas_in_sync} device(s); take a smaller one"
            ) from error
        except tf.errors.OpError as error:
            if self.batches.failures:
                raise self.batches.failures[0] from error
            raise
        guards.check_steps(
            losses,
            sums,
            list(named_variables(self.model)),
            first_step=first_step,
            total_steps=self.total_steps,
            learning_rate=self.recipe.optimizer.learning_rate,
        )
        return losses, errors

    def validation_logits(self, split: RecordDataset) -> Generator[np.ndarray]:
        """Yield logits (n, 1, K) of a split's centre crops, with the averaged weights where there are any.

        Until it is closed, the network has these weights.
        """
        with self.averaged():
            yield from self._inference.logits(split)

    def averaged(self) -> AbstractContextManager[None]:
        """Give the network the averaged weights, where there are any, for as long as the context lasts."""
        return self._averages.in_use()

    def weights(self) -> dict[str, np.ndarray]:
        """Return the network's weights and moving statistics by path, such as `conv1/kernel`, float32."""
        return model_arrays(self.model)

    @property
    def variables(self) -> dict[str, tf.Variable]:
        """All variables that a step reads and changes, by name."""
        named = {f"weights/{name}": variable.value for name, variable in named_variables(self.model).items()}
        for name, slots in self.optimizer.slots.items():
            named |= {f"{name}/{index}": variable for index, variable in enumerate(slots)}
        named |= {f"slow/{index}": variable for index, variable in enumerate(self._lookahead.variables)}
        return named | {f"averages/{index}": variable for index, variable in enumerate(self._averages.variables)}

    def _traced(self, iterator) -> Callable:
        """Trace the steps once, for any number of them in a call."""
        step, rates, noise_on = (
            tf.TensorSpec([], tf.int32), tf.TensorSpec([None], tf.float32), tf.TensorSpec([None], tf.bool)
        )  # fmt: skip
        return tf.function(self._run_steps).get_concrete_function(iterator, step, rates, rates, rates, noise_on)

    def _run_steps(self, iterator, first_step, rates, conv1_rates, shares, noise_on):
        num_steps = tf.shape(rates)[0]
        losses = tf.TensorArray(tf.float32, num_steps)
        errors = tf.TensorArray(tf.float32, num_steps)
        sums = tf.TensorArray(tf.float32, num_steps)
        for index in tf.range(num_steps):
            images, labels, rows, mirrored = next(iterator)
            step = (first_step + index, rates[index], conv1_rates[index], shares[index], noise_on[index])
            loss, wrong, total = self.strategy.run(self._replica_step, args=(images, labels, rows, mirrored, *step))
            losses = losses.write(index, self.strategy.reduce("SUM", loss, axis=None))
            errors = errors.write(index, self.strategy.reduce("SUM", wrong, axis=None))
            sums = sums.write(index, self.strategy.experimental_local_results(total)[0])  # replicas are equal
        return losses.stack(), errors.stack(), sums.stack()

    @tf.autograph.experimental.do_not_convert  # only the loop around it needs that
    def _replica_step(self, images, labels, rows, mirrored, step, rate, conv1_rate, share, noise_on):
        recipe, batch_size = self.recipe, self.recipe.global_batch_size
        draw = RandomStreams(tf.stack([self.seed, step]), rows, batch_size)
        inputs = self.views.training(images, draw, recipe.augmentation, self._colour_axes, noise_on, mirrored)
        weights = [variable.value for variable in self.model.trainable_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            logits = self.model(inputs, training=True, draw=draw)
            loss = tf.reduce_sum(cross_entropy(logits, labels, recipe.label_smoothing)) / batch_size
        self.optimizer.apply(tape.gradient(loss, weights), rate, conv1_rate, step)
        self._lookahead.update(step, share)
        self._averages.update(step)
        wrong = tf.cast(tf.argmax(logits, axis=-1, output_type=tf.int32) != labels, tf.float32)
        # A loss does not show that weights are NaN: oneDNN's fused ReLU makes zeros of them. A sum does, in one pass.
        sums = [tf.reduce_sum(variable.value) for variable in self.model.weights]
        return loss, tf.reduce_sum(wrong) / batch_size, tf.stack(sums)


def cross_entropy(logits, labels, label_smoothing: float):
    """Return each image's cross entropy in nats: (N,) float32.

    Args:
        logits: (N, K) float32.
        labels: (N,) int32.
        label_smoothing: Share of the target that is spread over all K classes.
    """
    own = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    if label_smoothing == 0:
        return own
    spread = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=-1)
    return (1.0 - label_smoothing) * own + label_smoothing * spread
