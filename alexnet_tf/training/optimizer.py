"""Stochastic gradient descent with the paper's momentum and weight decay (§5); and Adam."""

import tensorflow as tf

from alexnet_tf.training.recipe import OptimizerSpec


def momentum_update(
    weights, velocity, gradient, learning_rate, momentum, coupled_decay, decoupled_decay, nesterov: bool
):
    """Take one step of §5's rule, with TensorFlow's own kernel: in place, and nothing has to be compiled.

        v ← momentum·v − coupled_decay·ε·w − ε·g
        w ← w + v

    With `nesterov` the step is momentum·v − ε·(g + coupled_decay·w) of the new v. `decoupled_decay`·ε·w is taken from w
    beside the velocity, as Keras' `weight_decay` does, which at momentum 0.9 is ten times weaker.

    Args:
        weights: w, a float32 variable.
        velocity: v, a variable like `weights`.
        gradient: g, of the mean loss of the global batch.
        learning_rate: ε of this step, a scalar.
        momentum: Scalar.
        coupled_decay: λ inside the velocity.
        decoupled_decay: λ beside the velocity.
        nesterov: Whether to look ahead.
    """
    with tf.name_scope("momentum_update"):
        slope = gradient + coupled_decay * weights if coupled_decay else gradient
        if decoupled_decay:
            weights.assign_sub(decoupled_decay * learning_rate * weights)
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=weights.handle,
            accum=velocity.handle,
            lr=learning_rate,
            grad=slope,
            momentum=momentum,
            use_nesterov=nesterov,
        )


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
            arguments = (tuple(slots), gradients[index], index, learning_rate, conv1_learning_rate, step)
            strategy.extended.update(variable, self._update, args=arguments, group=True)

    def _update(self, variable, slots, gradient, index: int, learning_rate, conv1_learning_rate, step):
        factor = self.spec.bias_learning_rate_factor if self._is_bias[index] else 1.0
        decay = self.spec.weight_decay if self._decays[index] else 0.0
        if not self._is_conv1[index]:
            self._move(variable, slots, gradient, factor * learning_rate, decay, step)
            return
        # A frozen layer has no velocity to run out: weights.cu updates only where epsW > 0.
        rate = factor * conv1_learning_rate
        tf.cond(rate > 0, lambda: self._move(variable, slots, gradient, rate, decay, step), lambda: None)

    def _move(self, weights, slots, gradient, rate, decay: float, step) -> None:
        """Take a step with the rule; at a rate of 0 its velocity would still move the weights."""
        spec = self.spec
        coupled, decoupled = (decay, 0.0) if spec.decay_form == "coupled" else (0.0, decay)
        (velocity,) = slots
        momentum_update(weights, velocity, gradient, rate, spec.momentum, coupled, decoupled, spec.nesterov)


def adam_update(weights, mean, square, gradient, learning_rate, momentum, decay, step):
    """Take one step of Adam with β₂ = 0.999 and ε̂ = 1e-7, as Keras has it, with the gradient g + decay·w.

    Args:
        weights: A float32 variable.
        mean: First moment, a variable like `weights`.
        square: Second moment, a variable like `weights`.
        gradient: g, of the mean loss of the global batch.
        learning_rate: Of this step, a scalar.
        momentum: β₁.
        decay: Weight decay, as a part of the gradient.
        step: Number of this step, from 0 on.

    References:
        Kingma and Ba, "Adam: a method for stochastic optimization", 2015: section 2, in its more efficient order.
    """
    count = tf.cast(step, tf.float32) + 1.0
    tf.raw_ops.ResourceApplyAdam(
        var=weights.handle,
        m=mean.handle,
        v=square.handle,
        beta1_power=momentum**count,
        beta2_power=0.999**count,
        lr=learning_rate,
        beta1=momentum,
        beta2=0.999,
        epsilon=1e-7,
        grad=gradient + decay * weights,
    )


class Adam(MomentumSGD):
    """The rule of `adam_update` for each variable, in place of §5's; the paper has none. Arguments as `MomentumSGD`."""

    slot_names = ("means", "squares")

    def _move(self, weights, slots, gradient, rate, decay: float, step) -> None:
        mean, square = slots
        adam_update(weights, mean, square, gradient, rate, self.spec.momentum, decay, step)


OPTIMIZERS = {"momentum": MomentumSGD, "adam": Adam}
