"""The optimized network in Keras: what `specs.AlexNetBNSpec` describes, as layers and variables.

Kernels start at zero in the constructor; `networks.build` and `from_config` draw them.
"""

import keras
import tensorflow as tf

from alexnet_tf.models import specs, window_geometry
from alexnet_tf.models.batch_norm import BatchNormActivation, activation
from alexnet_tf.models.keras_network import KerasNetwork, require_images
from alexnet_tf.models.layers import LOGITS_DTYPE, MAPS_LAST, Conv2D, DropoutDraws, inverted_dropout
from alexnet_tf.random_streams import FC6_DROPOUT, FC7_DROPOUT, RandomStreams


@keras.saving.register_keras_serializable("alexnet_tf")
class AlexNetBN(KerasNetwork):
    """Five convolutions with batch normalization and three dense layers; see `specs.AlexNetBNSpec`.

    Call it as `AlexNet`. Batch statistics are those of the global batch, whatever the number of replicas.

    Its layers stay what they are: another last layer is put on the hidden one,
    `keras.Sequential([Features(model), keras.layers.Dense(K)])` with `alexnet_tf.models.features.Features`, which
    Keras trains and saves as a whole.

    Args:
        spec: A `specs.AlexNetBNSpec`, or the mapping that makes one.
        crop_size: Height and width of the input in pixels.
        num_classes: K.
        seed: Of the model's own draws, 0 to 2^31 - 1.
    """

    def __init__(self, spec, crop_size: int, num_classes: int, seed: int = 0, **kwargs):
        spec = specs.AlexNetBNSpec.model_validate(spec)
        super().__init__(spec, crop_size, num_classes, seed, **kwargs)
        self._dropout_draws = DropoutDraws(seed)
        self.activation = spec.activation
        self.flatten = keras.layers.Flatten(data_format=MAPS_LAST, dtype=self.dtype_policy)
        shared = {"use_bias": False, "kernel_initializer": "zeros"}
        self.convs = tuple(
            (Conv2D if index == 0 and spec.conv1 == "whitening" else keras.layers.Conv2D)(
                filters,
                kernel_size,
                strides=spec.conv1_stride if index == 0 else 1,
                padding=window_geometry.bn_conv1_padding(spec) if index == 0 else "same",
                data_format=MAPS_LAST,
                name=f"conv{index + 1}",
                dtype=self.dtype_policy,
                **shared,
            )
            for index, (filters, kernel_size) in enumerate(zip(spec.filters, spec.kernel_sizes, strict=True))
        )
        self._first_norm = 1 if spec.conv1 == "learned" else 2
        self.norms = tuple(
            BatchNormActivation(
                activation=spec.activation,
                momentum=spec.batch_norm_momentum,
                learn_scale=spec.batch_norm_scale,
                name=f"norm{number}",
                dtype=self.dtype_policy,
            )
            for number in range(self._first_norm, 8)
        )
        self.dense = tuple(
            keras.layers.Dense(units, name=name, dtype=LOGITS_DTYPE if name == "fc8" else self.dtype_policy, **shared)
            for name, units in zip(specs.LAYER_NAMES[5:], (*spec.dense_units, num_classes), strict=True)
        )

    def call(self, inputs, training=False, draw: RandomStreams | None = None):
        """Return logits (N, K) float32 of images (N, crop, crop, 3); the arguments are those of `AlexNet`."""
        if training and draw is None:
            draw = self._dropout_draws.next(tf.shape(inputs)[0])
        return self.classify(self.features(inputs, training=training), training=training, draw=draw)

    def features(self, images, training=False):
        """Return the last maps, flattened: (N, side · side · filters)."""
        require_images(images, self.crop_size)
        x = tf.cast(images, self.compute_dtype)
        for number, (conv, pool) in enumerate(zip(self.convs, self.spec.pools, strict=True), start=1):
            x = conv(x)
            if self.spec.pool_order == "before_norm":
                x = self._normalized(_max_pool(x, pool), number, training)
            else:
                x = _max_pool(self._normalized(x, number, training), pool)
        if x.shape[1] > 4:
            window = x.shape[1] // 4
            x = tf.nn.avg_pool2d(x, window, window, "VALID")
        return self.flatten(x)

    def hidden(self, features, training=False, draw: RandomStreams | None = None):
        """Return fc7 after normalization, activation and dropout: (N, units)."""
        x = features
        for number, stream in ((6, FC6_DROPOUT), (7, FC7_DROPOUT)):
            x = self._normalized(self.dense[number - 6](x), number, training)
            x = inverted_dropout(x, self.spec.dropout, draw=draw if training else None, stream=stream)
        return x

    def classify(self, features, training=False, draw: RandomStreams | None = None):
        """Return float32 logits (N, K) of `features`."""
        return self.dense[2](self.hidden(features, training=training, draw=draw)) * self.spec.logit_scale

    def _normalized(self, x, number: int, training: bool):
        if number < self._first_norm:  # whitened maps have unit variance already
            return activation(x, self.activation)
        return self.norms[number - self._first_norm](x, training=training)


def _max_pool(maps, window: int):
    return maps if window == 1 else tf.nn.max_pool2d(maps, window, window, "VALID")
