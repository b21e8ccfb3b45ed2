"""The initial kernels of a network, drawn from its seed: §5's normal by layer, or He's."""

import numpy as np
import tensorflow as tf

from alexnet_tf.models import four_layer_spec, specs
from alexnet_tf.models.four_layer_spec import FOUR_LAYER_NAMES
from alexnet_tf.models.weights import layer_of


def initialize(network) -> None:
    """Make the variables of a network and draw its kernels; biases have their values from the layers.

    Variable i draws from (seed, i), whatever the strategy, and so does variable i of a network that lacks a layer
    before it.

    Args:
        network: A `KerasNetwork`; it is changed.
    """
    network(tf.zeros((1, network.crop_size, network.crop_size, 3)))
    for position, variable in enumerate(network.weights):
        if variable.path.endswith("/kernel"):
            if isinstance(network.spec, specs.AlexNetSpec):
                position = 2 * specs.LAYER_NAMES.index(layer_of(variable))  # a kernel and a bias each
            variable.assign(_initial_weights(variable, network.spec, (network.seed, position)))


def _initial_weights(variable, spec, seed: tuple[int, int]):
    """Draw an untruncated normal: the description's σ by layer, or He's √(2 / fan-in)."""
    layer = layer_of(variable)
    if isinstance(spec, specs.AlexNetBNSpec):
        stddev = float(np.sqrt(2.0 / np.prod(variable.shape[:-1])))
    else:
        names = FOUR_LAYER_NAMES if isinstance(spec, four_layer_spec.FourLayerSpec) else specs.LAYER_NAMES
        stddev = spec.weight_stddev[names.index(layer)]
    weights = stddev * tf.random.stateless_normal(variable.shape, seed, alg="philox")
    if isinstance(spec, specs.AlexNetBNSpec) and spec.initialization == "identity" and layer in specs.LAYER_NAMES[1:5]:
        return _pass_on_maps(weights.numpy())
    return weights


def _pass_on_maps(kernel: np.ndarray) -> np.ndarray:
    """Let output map i of a kernel (size, size, maps, filters) be input map i, for as many as both have."""
    size, _, maps, filters = kernel.shape
    passed = np.arange(min(maps, filters))
    kernel[:, :, :, passed] = 0.0
    kernel[size // 2, size // 2, passed, passed] = 1.0
    return kernel
