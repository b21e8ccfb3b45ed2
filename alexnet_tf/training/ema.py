"""An exponential average of the weights, which validation and the result use in place of the last ones."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import tensorflow as tf


class WeightAverages:
    """One average for each weight, equal on all replicas.

    Args:
        weights: What is averaged, float32: weights, and the moving statistics that belong to them.
        decay: Share of the average that a step keeps, 0..1; with 0 there are no averages, and the rest does nothing.

    Attributes:
        variables: The averages, in the order of the weights.
    """

    def __init__(self, weights: Sequence[tf.Variable], decay: float):
        self._weights, self._decay = list(weights) if decay else [], decay
        self.variables = [tf.Variable(weight.read_value(), trainable=False) for weight in self._weights]

    def update(self, step: tf.Tensor) -> None:
        """Let the averages follow the weights; called in a replica, with the number of the step, int32."""
        if self.variables:
            tf.distribute.get_replica_context().merge_call(self._update, args=(step,))

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Give the weights the values of their averages for as long as the context lasts."""
        present = [weight.numpy() for weight in self._weights]
        for weight, average in zip(self._weights, self.variables, strict=True):
            weight.assign(average.numpy())
        try:
            yield
        finally:
            for weight, value in zip(self._weights, present, strict=True):
                weight.assign(value)

    def _update(self, strategy, step) -> None:
        # Early on the average follows quickly, so that it never remembers the initial weights.
        count = tf.cast(strategy.experimental_local_results(step)[0], tf.float32)
        kept = tf.minimum(self._decay, (1.0 + count) / (10.0 + count))
        for average, weight in zip(self.variables, self._weights, strict=True):
            strategy.extended.update(
                average,
                lambda a, w: a.assign(kept * a + (1.0 - kept) * w),
                args=(weight,),
                group=True,
            )
