"""The layers that Keras does not have: towers (§3.2), locally connected ones, dropout as a pure function (§4.2)."""

from typing import Any, Literal

import keras
import tensorflow as tf

from alexnet_tf.devices.precision import on_matrix_units
from alexnet_tf.models.blocks import convolve_blocks
from alexnet_tf.random_streams import RandomStreams

ACTIVATIONS = {"relu": tf.nn.relu, "tanh": tf.nn.tanh}
LOGITS_DTYPE = "float32"  # of the last layer above bfloat16 ones, too: in 8 bits the best two classes often tie
MAPS_LAST = "channels_last"  # of (N, H, W, C), whatever Keras' own setting is


class DropoutDraws:
    """Draws for calls that bring none, such as those of `model.fit`: no two calls and no two replicas get the same.

    They are a function of the seed and the number of the call, of which each replica makes one. The count of calls is
    no weight and no state of Keras: files and checkpoints do not hold it, and a model that was loaded counts from 0
    again.

    Args:
        seed: 0 to 2^31 - 1.
    """

    def __init__(self, seed: int):
        self._seed = seed
        # A count of its own on each replica: to agree on one, replicas would have to wait for each other.
        self._calls = tf.Variable(
            tf.zeros((), tf.int64),
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )

    def next(self, batch_size: Any) -> RandomStreams:
        """Return the draw of one call, for a batch or a replica's share of it; its size is an int or () int32."""
        replicas = tf.distribute.get_replica_context()
        place, count = (replicas.replica_id_in_sync_group, replicas.num_replicas_in_sync) if replicas else (0, 1)
        number = tf.cast(self._calls.read_value(), tf.int32) + place
        self._calls.assign_add(count)
        return RandomStreams(tf.stack([self._seed, number]), tf.range(batch_size), batch_size)


def _with_bias(maps, bias):
    # The gradient of `bias_add` adds up in the dtype of the maps, unless oneDNN computes it with that of a kernel of a
    # convolution: in bfloat16, where 256 + 1 is 256, a long sum comes out far too small. That of a plain sum adds up in
    # float32, and costs the same.
    return maps + bias if maps.dtype == tf.bfloat16 else tf.nn.bias_add(maps, bias)


@keras.saving.register_keras_serializable("alexnet_tf")
class Dense(keras.layers.Dense):
    """The layer of Keras with a bias whose gradient adds up in float32 in bfloat16 as well."""

    def call(self, inputs, training=None):
        """Return (N, units) of (N, features)."""
        if self.compute_dtype != "bfloat16":
            return super().call(inputs, training=training)
        return tf.matmul(inputs, self.kernel) + self.bias  # as in `_with_bias`


class Conv2D(keras.layers.Conv2D):
    """The layer of Keras with a kernel that is computed: no gradient changes it, whatever is frozen and unfrozen.

    It has the name of Keras' layer, by which `.keras` files find its kernel.
    """

    def add_weight(self, *args, **kwargs):
        """Make a variable that is not trainable."""
        kwargs["trainable"] = False
        return super().add_weight(*args, **kwargs)


@keras.saving.register_keras_serializable("alexnet_tf")
class TowerConv2D(keras.layers.Layer):
    """A convolution whose maps are spread over towers, as the paper's were over two GPUs (§3.2, figure 2).

    Takes and returns a list with one (N, H, W, C / towers) tensor for each tower. With `sees="own"` (conv2, conv4,
    conv5) a tower's kernels see that tower's maps, with `sees="all"` (conv1, conv3) those of all towers.
    Each tower is a convolution of its own, so gradients need neither XLA nor oneDNN.

    Args:
        filters: Kernels of all towers together.
        kernel_size: Height and width of a kernel in pixels.
        strides: Step of the window in pixels.
        padding: Zeros (before, after) on both axes, in pixels.
        towers: Number of towers.
        sees: `own` or `all`.
        bias: The initial bias (§5). The kernel starts at zero; `networks.build` draws it.
    """

    def __init__(
        self,
        *,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        padding: tuple[int, int] = (0, 0),
        towers: int,
        sees: Literal["own", "all"],
        bias: float,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.strides = filters, kernel_size, strides
        self.padding, self.towers, self.sees = tuple(padding), towers, sees
        self.bias_value = bias

    def build(self, input_shape):
        """Make the kernel (size, size, seen maps, filters), tower after tower along the last axis, and the bias."""
        maps = sum(shape[-1] for shape in input_shape) if self.sees == "all" else input_shape[0][-1]
        shape = (self.kernel_size, self.kernel_size, maps, self.filters)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer="zeros")
        self.bias = self.add_weight(
            name="bias", shape=(self.filters,), initializer=keras.initializers.Constant(self.bias_value)
        )

    def call(self, inputs):
        """Convolve; a list of (N, H, W, C / towers) in and out."""
        kernels = tf.split(tf.convert_to_tensor(self.kernel), self.towers, axis=-1)
        biases = tf.split(tf.convert_to_tensor(self.bias), self.towers)
        if self.sees == "all":
            inputs = [tf.concat(inputs, axis=-1) if len(inputs) > 1 else inputs[0]]
        if self.strides > 1 and len(inputs) == 1 and on_matrix_units(self.compute_dtype):
            convolved = convolve_blocks(inputs[0], kernels, self.strides, self.padding)
        else:
            inputs, padding = self._padded(inputs)
            each = inputs if len(inputs) == self.towers else inputs * self.towers
            convolved = [
                tf.nn.conv2d(maps, kernel, self.strides, padding) for maps, kernel in zip(each, kernels, strict=True)
            ]
        return [_with_bias(maps, bias) for maps, bias in zip(convolved, biases, strict=True)]

    def _padded(self, inputs):
        """Return the inputs, padded where it cannot be said in a word: oneDNN has no gradients for explicit padding."""
        before, after = self.padding
        if self.strides == 1 and before == after == self.kernel_size // 2:
            return inputs, "SAME"
        if before or after:
            border = [[0, 0], [before, after], [before, after], [0, 0]]
            inputs = [tf.pad(maps, border) for maps in inputs]
        return inputs, "VALID"

    def compute_output_shape(self, input_shape):
        """Return (N, H, W, filters / towers) for each tower."""
        count, *sides = input_shape[0][:3]
        sides = [side and (side + sum(self.padding) - self.kernel_size) // self.strides + 1 for side in sides]
        return [(count, *sides, self.filters // self.towers) for _ in range(self.towers)]

    def get_config(self):
        """Return the arguments of the constructor."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "towers": self.towers,
            "sees": self.sees,
            "bias": self.bias_value,
        }


def original_dropout(x, rate: float, *, draw: RandomStreams | None, stream: int):
    """Drop units in training, scale them at test, as §4.2 does (most libraries scale in training instead).

    Args:
        x: (N, units).
        rate: Probability of dropping a unit.
        draw: Place of the batch in the random stream; None at test, where the output is (1 - rate)·x.
        stream: Which of the run's random streams.

    Returns:
        A tensor like `x`; in training not rescaled.
    """
    if draw is None:
        return x * (1 - rate)
    return tf.where(draw.uniform(stream, (x.shape[-1],)) >= rate, x, tf.zeros_like(x))


def inverted_dropout(x, rate: float, *, draw: RandomStreams | None, stream: int):
    """Drop units in training and divide the others by 1 - rate, so that nothing happens at test.

    Args:
        x: (N, units).
        rate: Probability of dropping a unit.
        draw: Place of the batch in the random stream; None at test.
        stream: Which of the run's random streams.

    Returns:
        A tensor like `x`.
    """
    if draw is None or rate == 0:
        return x
    return original_dropout(x, rate, draw=draw, stream=stream) / (1 - rate)


def locally_connected(maps, kernel, bias):
    """Return at each position the products of its window with that position's kernels.

        y[n, i, j, f] = bias[i, j, f] + Σ maps[n, i + r - s//2, j + c - s//2, m] · kernel[i, j, (r·s + c)·M + m, f]

    summed over rows r, columns c of a window of side s, and maps m; beyond the border the maps are 0. One matrix
    product a position: the windows are laid out as (H, W, N, s·s·M), which needs the maps transposed once and not their
    s·s copies.

    Args:
        maps: (N, H, W, M).
        kernel: (H, W, s·s·M, F), like `maps`.
        bias: (H, W, F), like `maps`.

    Returns:
        (N, H, W, F), like `maps`.
    """
    rows, columns, depth = maps.shape[1:]
    size = round((kernel.shape[2] / depth) ** 0.5)
    border = [size // 2, size // 2]
    by_position = tf.pad(tf.transpose(maps, (1, 2, 0, 3)), [border, border, [0, 0], [0, 0]])
    windows = [by_position[r : r + rows, c : c + columns] for r in range(size) for c in range(size)]
    products = tf.matmul(tf.concat(windows, axis=-1), kernel)
    return tf.transpose(products + bias[:, :, None, :], (2, 0, 1, 3))


@keras.saving.register_keras_serializable("alexnet_tf")
class LocallyConnected2D(keras.layers.Layer):
    """`locally_connected` as a layer: like a convolution of stride 1 whose kernels are not shared between positions.

    cuda-convnet's `local`, whose biases belong to a position as well. Kernel and bias start at zero; `networks.build`
    draws the kernel.

    Args:
        filters: Kernels at each position.
        kernel_size: Height and width of a kernel in pixels, odd.
    """

    def __init__(self, *, filters: int, kernel_size: int, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.kernel_size = filters, kernel_size

    def build(self, input_shape):
        """Make the kernel (H, W, size · size · maps, filters) and the bias (H, W, filters)."""
        _, rows, columns, maps = input_shape
        shape = (rows, columns, self.kernel_size**2 * maps, self.filters)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer="zeros")
        self.bias = self.add_weight(name="bias", shape=(rows, columns, self.filters), initializer="zeros")

    def call(self, inputs):
        """Return (N, H, W, filters) of (N, H, W, maps)."""
        kernel, bias = tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.bias)
        return locally_connected(inputs, kernel, bias)

    def compute_output_shape(self, input_shape):
        """Return (N, H, W, filters)."""
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        """Return the arguments of the constructor."""
        return {**super().get_config(), "filters": self.filters, "kernel_size": self.kernel_size}
