"""Stochastic gradient descent with the paper's momentum and weight decay (§5), one pass over the weights; and Adam."""

import tensorflow as tf

from alexnet_tf.training.recipe import OptimizerSpec


@tf.function(jit_compile=True, autograph=False)
def momentum_update(
    weights, velocity, gradient, learning_rate, momentum, coupled_decay, decoupled_decay, nesterov: bool
):
    """Return (weights, velocity) after one step of §5's rule.

        v ← momentum·v − coupled_decay·ε·w − ε·g
        w ← w + v

    At a rate of 0 both stay as they are (weights.cu updates only where epsW > 0): a frozen layer has no velocity to run
    out. With `nesterov` the step is momentum·v − ε·(g + coupled_decay·w) of the new v. `decoupled_decay`·ε·w is taken
    from w beside the velocity, as Keras' `weight_decay` does, which at momentum 0.9 is ten times weaker.

    Args:
        weights: w, float32.
        velocity: v, like `weights`.
        gradient: g, of the mean loss of the global batch.
        learning_rate: ε of this step, a scalar.
        momentum: Scalar.
        coupled_decay: λ inside the velocity.
        decoupled_decay: λ beside the velocity.
        nesterov: Whether to look ahead.
    """
    descent = learning_rate * (gradient + coupled_decay * weights)
    moved = momentum * velocity - descent
    step = momentum * moved - descent if nesterov else moved
    updated = weights + step - decoupled_decay * learning_rate * weights
    moves = learning_rate > 0
    return tf.where(moves, updated, weights), tf.where(moves, moved, velocity)


class MomentumSGD:
    """Velocities for a network's variables, and the rule of `momentum_update` for each.

    Args:
        spec: Rates and decay.
        variables: The trainable variables, in the order in which gradients come. Made under the same strategy.

    Attributes:
        slots: What the rule remembers: name -> one variable for each trainable one.
    """

    slot_names = ("velocities",)

    def __init__(self, spec: OptimizerSpec, variables):
        self.spec = spec
        self.slots = {
            name: [
                tf.Variable(tf.zeros(variable.shape), trainable=False, name=f"{name}/{variable.path}")
                for variable in variables
            ]
            for name in self.slot_names
        }
        self._variables = [variable.value for variable in variables]
        self._is_bias = [not variable.path.endswith("/kernel") for variable in variables]
        layers = [variable.path.split("/")[-2] for variable in variables]
        self._is_conv1 = [layer == "conv1" for layer in layers]
        self._decays = [
            spec.bias_decay if is_bias else spec.convolution_decay or not layer.startswith("conv")
            for is_bias, layer in zip(self._is_bias, layers, strict=True)
        ]

    def apply(self, gradients, learning_rate, conv1_learning_rate, step):
        """Update all variables once; call it in replica context, where it sums the gradients over the replicas.

        Args:
            gradients: One tensor for each variable: this replica's share of the gradient of the mean loss.
            learning_rate: ε of this step, a scalar.
            conv1_learning_rate: ε of conv1, which the 2012 code lowered to 0 late in training.
            step: Number of the step, from 0 on, of which §5's rule is no function and Adam's is.
        """
        context = tf.distribute.get_replica_context()
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        context.merge_call(self._update_all, args=(gradients, learning_rate, conv1_learning_rate, step))

    def _update_all(self, strategy, gradients, learning_rate, conv1_learning_rate, step):
        for index, (variable, *slots) in enumerate(zip(self._variables, *self.slots.values(), strict=True)):
            rate = conv1_learning_rate if self._is_conv1[index] else learning_rate
            arguments = (tuple(slots), gradients[index], rate, step, self._is_bias[index], self._decays[index])
            strategy.extended.update(variable, self._update, args=arguments, group=True)

    def _update(self, variable, slots, gradient, learning_rate, step, is_bias: bool, decays: bool):
        rate = learning_rate * (self.spec.bias_learning_rate_factor if is_bias else 1.0)
        present = [each.read_value() for each in (variable, *slots)]
        updated = self._updated(present, gradient, rate, step, self.spec.weight_decay if decays else 0.0)
        return tf.group(*(each.assign(value) for each, value in zip((variable, *slots), updated, strict=True)))

    def _updated(self, present, gradient, rate, step, decay: float):
        """Return the values after a step of (weights, slots) before it."""
        spec = self.spec
        coupled, decoupled = (decay, 0.0) if spec.decay_form == "coupled" else (0.0, decay)
        weights, velocity = present
        return momentum_update(weights, velocity, gradient, rate, spec.momentum, coupled, decoupled, spec.nesterov)


@tf.function(jit_compile=True, autograph=False)
def adam_update(weights, mean, square, gradient, learning_rate, momentum, decay, step):
    """Return (weights, mean, square) after one step of Adam with β₂ = 0.999 and ε̂ = 1e-7, as Keras has it.

    With the gradient g + decay·w; at a rate of 0 all three stay as they are.

    Args:
        weights: float32.
        mean: First moment, like `weights`.
        square: Second moment, like `weights`.
        gradient: g, of the mean loss of the global batch.
        learning_rate: Of this step, a scalar.
        momentum: β₁.
        decay: Weight decay, as a part of the gradient.
        step: Number of this step, from 0 on.

    References:
        Kingma and Ba, "Adam: a method for stochastic optimization", 2015: section 2, in its more efficient order.
    """
    slope = gradient + decay * weights
    count = tf.cast(step, tf.float32) + 1.0
    rate = learning_rate * tf.sqrt(1.0 - 0.999**count) / (1.0 - momentum**count)
    moved = momentum * mean + (1.0 - momentum) * slope
    squared = 0.999 * square + 0.001 * slope * slope
    after = (weights - rate * moved / (tf.sqrt(squared) + 1e-7), moved, squared)
    return tuple(tf.where(learning_rate > 0, new, old) for new, old in zip(after, (weights, mean, square), strict=True))


class Adam(MomentumSGD):
    """The rule of `adam_update` for each variable, in place of §5's; the paper has none. Arguments as `MomentumSGD`."""

    slot_names = ("means", "squares")

    def _updated(self, present, gradient, rate, step, decay: float):
        weights, mean, square = present
        return adam_update(weights, mean, square, gradient, rate, self.spec.momentum, decay, step)


OPTIMIZERS = {"momentum": MomentumSGD, "adam": Adam}
