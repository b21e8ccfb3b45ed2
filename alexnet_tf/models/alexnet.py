"""The network of 2012 in Keras: what `specs.AlexNetSpec` describes, as layers and variables.

Kernels start at zero in the constructor; `networks.build` and `from_config` draw them.
"""

import keras
import tensorflow as tf

from alexnet_tf.models import specs, window_geometry
from alexnet_tf.models.keras_network import KerasNetwork, require_images
from alexnet_tf.models.layers import (
    ACTIVATIONS,
    LOGITS_DTYPE,
    MAPS_LAST,
    Dense,
    DropoutDraws,
    TowerConv2D,
    inverted_dropout,
    original_dropout,
)
from alexnet_tf.models.lrn import LocalResponseNormalization, same_map_normalization
from alexnet_tf.random_streams import FC6_DROPOUT, FC7_DROPOUT, RandomStreams


@keras.saving.register_keras_serializable("alexnet_tf")
class AlexNet(KerasNetwork):
    """The network of §3.5: five convolutions in towers, three dense layers, logits of `num_classes` classes.

    Call it on (N, crop, crop, 3) float32 centred images; it returns float32 logits (N, K). With `training=True` dropout
    is on: the pipeline passes a `RandomStreams`, all others get one of the model's own draws.

    Its layers stay what they are: another last layer is put on the hidden one,
    `keras.Sequential([Features(model), keras.layers.Dense(K)])` with `alexnet_tf.models.features.Features`, which
    Keras trains and saves as a whole.

    Args:
        spec: A `specs.AlexNetSpec`, or the mapping that makes one.
        crop_size: Height and width of the input in pixels.
        num_classes: K.
        seed: Of the model's own draws, 0 to 2^31 - 1.
    """

    def __init__(self, spec, crop_size: int, num_classes: int, seed: int = 0, **kwargs):
        spec = specs.AlexNetSpec.model_validate(spec)
        super().__init__(spec, crop_size, num_classes, seed, **kwargs)
        self._dropout_draws = DropoutDraws(seed)
        self.activation = ACTIVATIONS[spec.activation]
        self.dropout = original_dropout if spec.dropout_scaling == "at_test" else inverted_dropout
        self.flatten = keras.layers.Flatten(data_format=MAPS_LAST, dtype=self.dtype_policy)
        self.pool = window_geometry.pool_geometry(spec.pooling)
        paddings = window_geometry.conv_paddings(spec, crop_size)
        self.convs = tuple(
            TowerConv2D(
                name=specs.LAYER_NAMES[index],
                filters=filters,
                kernel_size=window_geometry.KERNEL_SIZES[index],
                strides=window_geometry.STRIDES[index],
                padding=paddings[index],
                towers=spec.towers,
                sees=window_geometry.SEES[index],
                bias=spec.bias[index],
                dtype=self.dtype_policy,
            )
            for index, filters in enumerate(spec.filters)
            if specs.LAYER_NAMES[index] != spec.left_out
        )
        norm = {"alpha": spec.lrn_alpha, "beta": spec.lrn_beta, "k": spec.lrn_k, "size": spec.lrn_size}
        self.norms = tuple(
            LocalResponseNormalization(name=f"norm{index}", **norm, dtype=self.dtype_policy)
            for index in ((1, 2) if spec.lrn else ())
        )
        self.dense = tuple(
            Dense(
                units,
                name=name,
                kernel_initializer="zeros",
                bias_initializer=keras.initializers.Constant(bias),  # pyright: ignore[reportArgumentType]
                dtype=LOGITS_DTYPE if name == "fc8" else self.dtype_policy,
            )
            for name, units, bias in zip(
                specs.LAYER_NAMES[5:], (*spec.dense_units, num_classes), spec.bias[5:], strict=True
            )
        )

    def call(self, inputs, training=False, draw: RandomStreams | None = None):
        """Return logits (N, K) float32 of images (N, crop, crop, 3).

        Args:
            inputs: float32, centred.
            training: Whether to drop units of fc6 and fc7 (§4.2).
            draw: Place of the batch in the random stream; None takes the next of the model's own draws.
        """
        if training and draw is None:
            draw = self._dropout_draws.next(tf.shape(inputs)[0])
        return self.classify(self.features(inputs), draw=draw if training else None)

    def features(self, images):
        """Return pool5, flattened: (N, 9216) for the paper's sizes."""
        require_images(images, self.crop_size)
        towers = [tf.cast(images, self.compute_dtype)]
        for index, conv in enumerate(self.convs):
            towers = conv(towers)
            if index < 2:
                towers = self._normalize_and_pool(towers, index)
            else:
                towers = [self.activation(maps) for maps in towers]
        maps = tf.concat([self._max_pool(maps) for maps in towers], axis=-1)
        return self.flatten(maps)

    def hidden(self, features, *, draw: RandomStreams | None = None):
        """Return fc7 after its activation and dropout (§4.2): (N, 4096)."""
        x = features
        for dense, stream in zip(self.dense[:2], (FC6_DROPOUT, FC7_DROPOUT), strict=True):
            x = self.dropout(self.activation(dense(x)), self.spec.dropout, draw=draw, stream=stream)
        return x

    def classify(self, features, *, draw: RandomStreams | None = None):
        """Return float32 logits (N, K) of `features`."""
        return self.dense[2](self.hidden(features, draw=draw))

    def _normalize_and_pool(self, towers, index: int):
        """Return norm and pool of layer 1 or 2, in the order that the description asks for."""
        if index == 0 and self.spec.lrn_order == "before_relu":
            return [self.activation(self._max_pool(maps)) for maps in self._norm(towers, index)]
        towers = self._norm([self.activation(maps) for maps in towers], index)
        if index == 1 and self.spec.lrn and self.spec.same_map_normalization:
            towers = [same_map_normalization(maps) for maps in towers]
        return [self._max_pool(maps) for maps in towers]

    def _norm(self, towers, index: int):
        if not self.spec.lrn:
            return towers
        norm = self.norms[index]
        if self.spec.lrn_scope == "tower" or len(towers) == 1:
            return [norm(maps) for maps in towers]
        return tf.split(norm(tf.concat(towers, axis=-1)), len(towers), axis=-1)

    def _max_pool(self, maps):
        window, stride = self.pool
        if overrun := window_geometry.pool_overrun(maps.shape[1], window, stride):
            maps = tf.pad(maps, [[0, 0], [0, overrun], [0, overrun], [0, 0]], constant_values=maps.dtype.min)
        return tf.nn.max_pool2d(maps, window, stride, "VALID")
