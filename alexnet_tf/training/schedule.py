"""The learning rate over time (§5): by hand at fixed shares, by plateau, or at every step. No TensorFlow."""

import math
from dataclasses import dataclass, replace

from alexnet_tf.training.recipe import ScheduleSpec


@dataclass(frozen=True)
class Plateau:
    """What §5's rule remembers: "divide the learning rate by 10 when the validation error rate stopped improving".

    Attributes:
        drops: How often the rate was divided.
        best_error: The best validation error so far, a fraction.
        stale_epochs: Epochs since then, or since the last drop.
    """

    drops: int = 0
    best_error: float = math.inf
    stale_epochs: int = 0

    def after_epoch(self, spec: ScheduleSpec, validation_error: float) -> "Plateau":
        """Return the state after an epoch that ended with `validation_error` (a fraction)."""
        if validation_error < self.best_error:
            return replace(self, best_error=validation_error, stale_epochs=0)
        stale = self.stale_epochs + 1
        if spec.name == "plateau" and stale >= spec.patience_epochs and self.drops < spec.max_drops:
            return replace(self, drops=self.drops + 1, stale_epochs=0)
        return replace(self, stale_epochs=stale)


def learning_rate_factor(spec: ScheduleSpec, step: int, total_steps: int, plateau: Plateau) -> float:
    """Return what the initial rate is multiplied by at a step.

    The run of 2012 divided it by ten at a quarter, at 55 % and at 84 % of the training: `steps`.

    Args:
        spec: The schedule.
        step: 0 for the first step of the training.
        total_steps: Steps of the whole training.
        plateau: State of the plateau rule; the other schedules ignore it.
    """
    share = step / total_steps
    if spec.name == "plateau":
        return spec.drop_factor**plateau.drops
    if spec.name == "steps":
        return spec.drop_factor ** sum(share >= at for at in spec.drop_at)
    if share < spec.warmup_share:
        return min(1.0, (step + 1) / (spec.warmup_share * total_steps))  # a warm-up may end within a step
    falling = (share - spec.warmup_share) / (1.0 - spec.warmup_share)
    return 0.5 * (1.0 + math.cos(math.pi * falling)) if spec.name == "cosine" else 1.0 - falling


def conv1_factor(spec: ScheduleSpec, step: int, total_steps: int) -> float:
    """Return 0 once conv1 is frozen (layer-params-145-2010.cfg: epoch 72 of 93), else 1."""
    return 0.0 if step / total_steps >= spec.conv1_frozen_from else 1.0
