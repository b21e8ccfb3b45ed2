"""The optimized network in Keras: what `architecture.AlexNetBN` describes, as layers and variables.

Kernels start at zero in the constructor and are drawn by `networks.build`.
"""

import keras
import tensorflow as tf

from alexnet_tf import architecture
from alexnet_tf.layers import ACTIVATIONS, FC6_DROPOUT, FC7_DROPOUT, Draw, inverted_dropout


@keras.saving.register_keras_serializable("alexnet_tf")
class AlexNetBN(keras.Model):
    """Five 3 x 3 convolutions with batch normalization and three dense layers; see `architecture.AlexNetBN`.

    Call it as `AlexNet`. Batch statistics are those of the global batch, whatever the number of replicas.

    Args:
        spec: An `architecture.AlexNetBN`, or the mapping that makes one.
        crop_size: Height and width of the input in pixels.
        num_classes: K.
    """

    def __init__(self, spec, crop_size: int, num_classes: int, **kwargs):
        super().__init__(**kwargs)
        spec = architecture.AlexNetBN.model_validate(spec)
        self.spec, self.crop_size, self.num_classes = spec, crop_size, num_classes
        self.activation = ACTIVATIONS[spec.activation]
        self.flatten = keras.layers.Flatten(dtype=self.dtype_policy)
        shared = {"kernel_initializer": "zeros", "dtype": self.dtype_policy}
        self.convs = [
            keras.layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"conv{index + 1}", **shared)
            for index, filters in enumerate(spec.filters)
        ]
        self.norms = [
            keras.layers.BatchNormalization(
                momentum=spec.batch_norm_momentum,
                synchronized=True,
                name=f"norm{index + 1}",
                dtype=self.dtype_policy,
            )
            for index in range(5)
        ]
        self.dense = [
            keras.layers.Dense(units, name=name, **shared)
            for name, units in zip(architecture.LAYER_NAMES[5:], (*spec.dense_units, num_classes), strict=True)
        ]

    def call(self, inputs, training=False, draw: Draw | None = None):
        """Return logits (N, K) float32 of images (N, crop, crop, C)."""
        features = self.features(inputs, training=training)
        return tf.cast(self.dense[2](self.hidden(features, draw=draw if training else None)), tf.float32)

    def features(self, images, training=False):
        """Return the last maps, flattened: (N, 4 · 4 · filters)."""
        x = tf.cast(images, self.compute_dtype)
        for index, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = self.activation(norm(conv(x), training=training))
            if index in (0, 1, 4):
                x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        if x.shape[1] > 4:
            window = x.shape[1] // 4
            x = tf.nn.avg_pool2d(x, window, window, "VALID")
        return self.flatten(x)

    def hidden(self, features, *, draw: Draw | None = None):
        """Return fc7 after its activation and dropout: (N, units)."""
        x = features
        for dense, stream in zip(self.dense[:2], (FC6_DROPOUT, FC7_DROPOUT), strict=True):
            x = inverted_dropout(self.activation(dense(x)), self.spec.dropout, draw=draw, stream=stream)
        return x

    def get_config(self):
        """Return the arguments of the constructor."""
        return {
            **super().get_config(),
            "spec": self.spec.model_dump(),
            "crop_size": self.crop_size,
            "num_classes": self.num_classes,
        }
