"""What stops a lost training: numbers that are not finite, and a loss that has stayed at ln K.

ln K is the loss of a network that gives every class the same probability. A reading of the paper by its text starts so
close to it (standard deviation 0.01 in conv3-5, biases of 1) that some seeds never leave it.
"""

import math
from collections.abc import Sequence

import numpy as np

from alexnet_tf.errors import TrainingError

STALL_SHARE_OF_LN_K = 0.98  # a mean loss above this share of ln K has learnt nothing but the class frequencies
STALL_STEPS = (500, 5000)  # look for a stall after 10 % of the steps, held within these


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


def has_stalled(mean_loss: float, num_classes: int) -> bool:
    """Return whether a mean loss in nats says that nothing but class frequencies was learnt."""
    return mean_loss > STALL_SHARE_OF_LN_K * math.log(num_classes)


def check_stalled(losses: Sequence[float], *, step: int, total_steps: int, num_classes: int) -> None:
    """Check the losses of an epoch, once the training is old enough to have left the plateau.

    Args:
        losses: Nats, of the epoch's steps.
        step: Steps taken so far.
        total_steps: Steps of the whole training.
        num_classes: K.

    Raises:
        TrainingError: When their mean is still at ln K.
    """
    low, high = STALL_STEPS
    if step < min(max(total_steps // 10, low), high):
        return
    mean = math.fsum(losses) / len(losses)
    if has_stalled(mean, num_classes):
        raise TrainingError(
            f"the mean loss of the epoch that ends at step {step} is {mean:.4f}, still ln K = "
            f"{math.log(num_classes):.4f} for {num_classes} classes: nothing was learnt; try another seed, "
            "profile: original (conv3-5 start at 0.03), or profile: caffe (biases 0.1)"
        )
