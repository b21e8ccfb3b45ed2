"""Stochastic gradient descent with the paper's momentum and weight decay (§5); Adam; and Muon."""

import tensorflow as tf

from alexnet_tf.devices.precision import Precision
from alexnet_tf.models.weights import layer_of
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
        precision: Of the training; only Muon multiplies matrices.

    Attributes:
        slots: What the rule remembers: name -> one variable for each trainable one.
    """

    slot_names = ("velocities",)

    def __init__(self, spec: OptimizerSpec, variables, precision: Precision = "float32"):
        self.spec, self._precision = spec, precision
        self.slots = {
            name: [
                tf.Variable(tf.zeros(variable.shape), trainable=False, name=f"{name}/{variable.path}")
                for variable in variables
            ]
            for name in self.slot_names
        }
        self._variables = [variable.value for variable in variables]
        self._is_bias = [not variable.path.endswith("/kernel") for variable in variables]
        layers = [layer_of(variable) for variable in variables]
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


def orthogonalized(matrix, dtype="float32"):
    """Return a matrix with the singular vectors of `matrix` and singular values near 1.

    Three Newton-Schulz iterations with a polynomial of degree five: singular values of 0.02 to 1 of the Frobenius norm
    come between 0.68 and 1.21, smaller ones grow fortyfold. For a direction to step in, that is as good as exactly 1.

    Args:
        matrix: float32 (M, N); of one that is all 0 the result is, too.
        dtype: In which it multiplies.

    References:
        Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024, which has the coefficients.
    """
    wide = matrix.shape[0] <= matrix.shape[1]
    x = tf.cast(tf.math.divide_no_nan(matrix, tf.norm(matrix)), dtype)
    x = x if wide else tf.transpose(x)
    for _ in range(3):
        gram = tf.matmul(x, x, transpose_b=True)
        x = 3.4445 * x + tf.matmul(-4.775 * gram + 2.0315 * tf.matmul(gram, gram), x)
    return tf.cast(x if wide else tf.transpose(x), tf.float32)


def muon_update(weights, velocity, gradient, learning_rate, momentum, dtype="float32"):
    """Take one step of Muon, for a kernel that batch normalization follows, so that its norm does not matter.

        v ← momentum·v + g
        w ← w·√n/‖w‖ − ε·orthogonalized(g + momentum·v)

    The orthogonalized matrix has a column for each of the n outputs. Its norm is about √n if there are at least as many
    inputs, so that ε is about the share of the weights that a step changes.

    Args:
        weights: w, a float32 variable (..., n).
        velocity: v, a variable like `weights`.
        gradient: g, of the mean loss of the global batch.
        learning_rate: ε of this step, a scalar.
        momentum: Scalar.
        dtype: In which matrices are multiplied.
    """
    outputs = weights.shape[-1]
    velocity.assign(momentum * velocity + gradient)
    slope = tf.reshape(gradient + momentum * velocity, [-1, outputs])
    direction = tf.reshape(orthogonalized(slope, dtype), weights.shape)
    weights.assign(weights * (outputs**0.5 / tf.norm(weights)) - learning_rate * direction)


class Muon(MomentumSGD):
    """The rule of `muon_update` for the kernels between conv1 and fc8, and §5's for the rest.

    Arguments as `MomentumSGD`.
    """

    def __init__(self, spec: OptimizerSpec, variables, precision: Precision = "float32"):
        super().__init__(spec, variables, precision)
        layers = [layer_of(variable) for variable in variables]
        self._is_hidden = [
            not is_bias and layer not in ("conv1", "fc8") for is_bias, layer in zip(self._is_bias, layers, strict=True)
        ]

    def _update(self, variable, slots, gradient, index: int, learning_rate, conv1_learning_rate, step):
        if not self._is_hidden[index]:
            super()._update(variable, slots, gradient, index, learning_rate, conv1_learning_rate, step)
            return
        rate = self.spec.muon_learning_rate_factor * learning_rate
        (velocity,) = slots
        muon_update(variable, velocity, gradient, rate, self.spec.muon_momentum, self._precision)


OPTIMIZERS = {"momentum": MomentumSGD, "adam": Adam, "muon": Muon}
