"""The four-layer network in Keras: what `four_layer_spec.FourLayerSpec` describes, as layers and variables.

Kernels start at zero in the constructor; `networks.build` and `from_config` draw them.
"""

import keras
import tensorflow as tf

from alexnet_tf.models import four_layer_spec
from alexnet_tf.models.keras_network import KerasNetwork, require_images
from alexnet_tf.models.layers import ACTIVATIONS, LOGITS_DTYPE, MAPS_LAST, LocallyConnected2D, TowerConv2D
from alexnet_tf.models.lrn import LocalResponseNormalization
from alexnet_tf.models.window_geometry import pool_overrun
from alexnet_tf.random_streams import RandomStreams


@keras.saving.register_keras_serializable("alexnet_tf")
class FourLayer(KerasNetwork):
    """Two convolutions, two locally connected layers, logits of `num_classes` classes; see `FourLayerSpec`.

    Call it as `AlexNet`; nothing in it differs between training and test.

    Its layers stay what they are: another last layer is put on the hidden one,
    `keras.Sequential([Features(model), keras.layers.Dense(K)])` with `alexnet_tf.models.features.Features`, which
    Keras trains and saves as a whole.

    Args:
        spec: A `four_layer_spec.FourLayerSpec`, or the mapping that makes one.
        crop_size: Height and width of the input in pixels.
        num_classes: K.
        seed: Of the initial weights; the network drops nothing.
    """

    def __init__(self, spec, crop_size: int, num_classes: int, seed: int = 0, **kwargs):
        spec = four_layer_spec.FourLayerSpec.model_validate(spec)
        super().__init__(spec, crop_size, num_classes, seed, **kwargs)
        self.activation = ACTIVATIONS[spec.activation]
        self.flatten = keras.layers.Flatten(data_format=MAPS_LAST, dtype=self.dtype_policy)
        self.convs = tuple(
            TowerConv2D(
                filters=filters,
                kernel_size=four_layer_spec.CONV_SIZE,
                padding=(four_layer_spec.CONV_SIZE // 2, four_layer_spec.CONV_SIZE // 2),
                towers=1,
                sees="all",
                bias=0.0,
                name=f"conv{number}",
                dtype=self.dtype_policy,
            )
            for number, filters in enumerate(spec.filters, start=1)
        )
        norm = {"alpha": spec.lrn_alpha, "beta": spec.lrn_beta, "k": spec.lrn_k, "size": spec.lrn_size}
        self.norms = tuple(
            LocalResponseNormalization(name=f"norm{number}", **norm, dtype=self.dtype_policy)
            for number in ((1, 2) if spec.lrn else ())
        )
        self.locals = tuple(
            LocallyConnected2D(
                filters=filters,
                kernel_size=four_layer_spec.LOCAL_SIZE,
                name=f"local{number}",
                dtype=self.dtype_policy,
            )
            for number, filters in enumerate(spec.local_filters, start=3)
        )
        self.classifier = keras.layers.Dense(num_classes, name="fc10", kernel_initializer="zeros", dtype=LOGITS_DTYPE)

    def call(self, inputs, training=False, draw: RandomStreams | None = None):
        """Return logits (N, K) float32 of images (N, crop, crop, 3); `training` and `draw` change nothing."""
        return self.classify(self.features(inputs))

    def features(self, images):
        """Return pool2: (N, side, side, filters), a quarter of the crop's side."""
        require_images(images, self.crop_size)
        x = tf.cast(images, self.compute_dtype)
        for index, conv in enumerate(self.convs):
            (x,) = conv([x])
            x = self.activation(x)
            if index == 0 and self.spec.lrn_order == "after_pool":
                x = self._normalized(_max_pool(x), index)
            else:
                x = _max_pool(self._normalized(x, index))
        return x

    def hidden(self, features):
        """Return local4 after its activation, flattened: (N, side · side · filters)."""
        x = features
        for local in self.locals:
            x = self.activation(local(x))
        return self.flatten(x)

    def classify(self, features):
        """Return float32 logits (N, K) of `features`."""
        return self.classifier(self.hidden(features))

    def _normalized(self, maps, index: int):
        return self.norms[index](maps) if self.spec.lrn else maps

    def get_config(self):
        """Return the arguments of the constructor, without a seed of 0, so that such files keep their bytes."""
        config = super().get_config()
        if self.seed == 0:
            del config["seed"]
        return config


def _max_pool(maps):
    window, stride = four_layer_spec.POOL
    overrun = pool_overrun(maps.shape[1], window, stride)
    # What SAME adds to an even side is one line after it, which is where the last window overruns.
    return tf.nn.max_pool2d(maps, window, stride, "SAME" if overrun else "VALID")
