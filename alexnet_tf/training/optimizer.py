"""Stochastic gradient descent with the paper's momentum and weight decay (§5), one pass over the weights."""

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
    """

    def __init__(self, spec: OptimizerSpec, variables):
        self.spec = spec
        self.velocities = [
            tf.Variable(tf.zeros(variable.shape), trainable=False, name=f"velocity/{variable.path}")
            for variable in variables
        ]
        self._variables = [variable.value for variable in variables]
        self._is_bias = [not variable.path.endswith("/kernel") for variable in variables]
        layers = [variable.path.split("/")[-2] for variable in variables]
        self._is_conv1 = [layer == "conv1" for layer in layers]
        self._decays = [
            spec.bias_decay if is_bias else spec.convolution_decay or not layer.startswith("conv")
            for is_bias, layer in zip(self._is_bias, layers, strict=True)
        ]

    def apply(self, gradients, learning_rate, conv1_learning_rate):
        """Update all variables once; call it in replica context, where it sums the gradients over the replicas.

        Args:
            gradients: One tensor for each variable: this replica's share of the gradient of the mean loss.
            learning_rate: ε of this step, a scalar.
            conv1_learning_rate: ε of conv1, which the 2012 code lowered to 0 late in training.
        """
        context = tf.distribute.get_replica_context()
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        context.merge_call(self._update_all, args=(gradients, learning_rate, conv1_learning_rate))

    def _update_all(self, strategy, gradients, learning_rate, conv1_learning_rate):
        for index, (variable, velocity) in enumerate(zip(self._variables, self.velocities, strict=True)):
            rate = conv1_learning_rate if self._is_conv1[index] else learning_rate
            arguments = (velocity, gradients[index], rate, self._is_bias[index], self._decays[index])
            strategy.extended.update(variable, self._update, args=arguments, group=True)

    def _update(self, variable, velocity, gradient, learning_rate, is_bias: bool, decays: bool):
        spec = self.spec
        decay = spec.weight_decay if decays else 0.0
        coupled, decoupled = (decay, 0.0) if spec.decay_form == "coupled" else (0.0, decay)
        rate = learning_rate * (spec.bias_learning_rate_factor if is_bias else 1.0)
        updated, moved = momentum_update(
            variable.read_value(),
            velocity.read_value(),
            gradient,
            rate,
            spec.momentum,
            coupled,
            decoupled,
            spec.nesterov,
        )
        return tf.group(variable.assign(updated), velocity.assign(moved))
