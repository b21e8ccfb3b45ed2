"""What stops a lost training: numbers that are not finite, a loss that has stayed that of guessing; what warns of one.

ln K is the loss of a network that gives each of K equally frequent classes the same probability. A reading of the paper
by its text starts so close to it (standard deviation 0.01 in conv3-5, biases of 1) that some seeds never leave it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from alexnet_tf.errors import TrainingError
from alexnet_tf.models.specs import AlexNetSpec, Network
from alexnet_tf.training.recipe import TrainingSpec
from alexnet_tf.training.schedule import Plateau, learning_rate_factor

# Of what can be learnt beyond the frequencies of the classes; a training that has learnt less has stalled.
STALL_SHARE = 0.02
STALL_STEPS = (500, 5000)  # look for a stall after 10 % of the steps, held within these

SMALL_STDDEV = 0.03  # of the initial weights: the largest of the 2012 code
SMALL_BIAS = 0.1  # of Caffe's network, where the paper has 1
# Before this `summed_learning_rate` the network of 2012 is still at ln K. On images of the sample, in batches of 32 at
# a rate of 0.002, its loss was there until 0.6 and had left it at 0.9.
LEAST_SUMMED_RATE = 0.6


def check_steps(
    losses: np.ndarray,
    sums: np.ndarray,
    names: Sequence[str],
    *,
    first_step: int,
    total_steps: int,
    learning_rate: float,
) -> None:
    """Check steps that were just taken.

    Args:
        losses: (n,) nats, of the batches before each update.
        sums: (n, V), of each weight after each update; a sum is finite only where all that it sums is.
        names: V names, such as `conv1/kernel`.
        first_step: Number of the first one, from 0.
        total_steps: Steps of the whole training.
        learning_rate: The initial rate, for the message.

    Raises:
        TrainingError: When one is not finite; it names the first.
    """
    way_out = f"lower training.optimizer.learning_rate (now {learning_rate}) or check input.divide_by"
    for number, (loss, after) in enumerate(zip(losses, sums, strict=True), first_step + 1):
        if not np.isfinite(loss):
            raise TrainingError(f"the loss is {loss} at step {number} of {total_steps}: training diverged; {way_out}")
        bad = [name for name, total in zip(names, after, strict=True) if not np.isfinite(total)]
        if bad:
            others = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
            raise TrainingError(
                f"{bad[0]}{others} is not finite after step {number} of {total_steps}: training diverged; {way_out}"
            )


@dataclass(frozen=True)
class LossRange:
    """The losses between which a training learns, in nats.

    Attributes:
        guessing: Of a network that knows the frequencies of the classes and nothing of the images; at most ln K.
        perfect: Of one that predicts every target exactly: 0, or the entropy of a smoothed label.
    """

    guessing: float
    perfect: float

    @classmethod
    def of(cls, labels: np.ndarray, num_classes: int, label_smoothing: float) -> Self:
        """Compute both for training labels (N,), 0..K-1, and the share of a target that is spread over K classes."""
        frequencies = np.bincount(labels, minlength=num_classes) / len(labels)
        certain = np.eye(num_classes)[0]
        smoothed = [(1.0 - label_smoothing) * each + label_smoothing / num_classes for each in (frequencies, certain)]
        return cls(*map(_entropy, smoothed))

    def has_stalled(self, mean_loss: float) -> bool:
        """Return whether a mean loss says that nothing but the frequencies was learnt."""
        return mean_loss > self.guessing - STALL_SHARE * (self.guessing - self.perfect)


def _entropy(probabilities: np.ndarray) -> float:
    return -math.fsum(p * math.log(p) for p in probabilities if p > 0)


def summed_learning_rate(recipe: TrainingSpec, total_steps: int) -> float:
    """Return how far a training can move its weights: the sum of its learning rates over 1 - momentum.

    It is the time of the gradient flow that the steps follow, so trainings of other batches and rates compare by it.
    The rule `plateau` counts as if the rate never dropped.
    """
    factors = (learning_rate_factor(recipe.schedule, step, total_steps, Plateau()) for step in range(total_steps))
    return recipe.optimizer.learning_rate * math.fsum(factors) / (1.0 - recipe.optimizer.momentum)


def too_short(network: Network, recipe: TrainingSpec, total_steps: int, num_classes: int) -> str:
    """Say in one sentence that a training of the network of 2012 ends before it can leave ln K; "" where it may.

    Only of §5's optimizer: how far another one gets, the sum of its rates does not say.
    """
    if not isinstance(network, AlexNetSpec) or max(network.weight_stddev) > SMALL_STDDEV:
        return ""
    if recipe.optimizer.name != "momentum":
        return ""
    share = summed_learning_rate(recipe, total_steps) / LEAST_SUMMED_RATE
    if share >= 1.0:
        return ""
    return (
        f"this training is too short to learn anything: expect the error of guessing ({1 - 1 / num_classes:.2f}) after "
        f"{total_steps} steps, whose learning rates sum to {100 * share:.0f} % of the least that the network of 2012 "
        "needs to leave its small initial weights; raise training.epochs, add images, or begin "
        "training.schedule.drop_at later"
    )


def check_stalled(
    losses: Sequence[float], *, step: int, total_steps: int, loss_range: LossRange, network: Network
) -> None:
    """Check the losses of an epoch, once the training is old enough to have left the plateau.

    Args:
        losses: Nats, of the epoch's steps.
        step: Steps taken so far.
        total_steps: Steps of the whole training.
        loss_range: Of this training.
        network: What is trained, for the message.

    Raises:
        TrainingError: When their mean is still that of guessing.
    """
    low, high = STALL_STEPS
    if step < min(max(total_steps // 10, low), high):
        return
    mean = math.fsum(losses) / len(losses)
    if loss_range.has_stalled(mean):
        raise TrainingError(
            f"the mean loss of the epoch that ends at step {step} is {mean:.4f}, still that of guessing, "
            f"{loss_range.guessing:.4f}: nothing was learnt; try {_ways_out(network)}"
        )


def _ways_out(network: Network) -> str:
    ways = ["another seed", "another training.optimizer.learning_rate"]
    if isinstance(network, AlexNetSpec) and max(network.weight_stddev) < SMALL_STDDEV:
        ways.append("profile: original (conv3-5 start at 0.03)")
    if isinstance(network, AlexNetSpec) and max(network.bias) > SMALL_BIAS:
        ways.append("profile: caffe (biases 0.1)")
    return f"{', '.join(ways[:-1])} or {ways[-1]}"
