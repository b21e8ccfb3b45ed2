"""A network without its last layer, as a Keras model to put a new one on."""

from typing import Any

import keras
import tensorflow as tf

from alexnet_tf.errors import ConfigError
from alexnet_tf.models.keras_network import KerasNetwork, require_images


@keras.saving.register_keras_serializable("alexnet_tf")
class Features(keras.Model):
    """The last hidden layer of a network as a model: (N, crop, crop, 3) float32 -> (N, units) float32.

    What `include_top=False` is in `keras.applications`: put a new last layer on it, and let Keras train and save the
    whole. `layers`, `weights`, `summary` and `count_params` are those of the network without its last layer.

    In `fit`, too, it computes as at test: no dropout, batch normalization by its moving statistics, so that a few
    images of a new set do not undo them. Its variables are those of the network: training one changes the other.

    Args:
        network: A network as `alexnet_tf.AlexNet` and its siblings make it, or `model` of an `ImageClassifier`.

    Raises:
        ConfigError: `network` is none of these.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> import alexnet_tf as an
        >>> features = an.Features(an.FourLayer(num_classes=10, crop_size=24))
        >>> [layer.name for layer in features.layers if layer.weights]
        ['conv1', 'conv2', 'local3', 'local4']
        >>> model = keras.Sequential([features, keras.layers.Dense(3)])
        >>> model(np.zeros((2, 24, 24, 3), "float32")).shape
        TensorShape([2, 3])
    """

    def __init__(self, network: Any, **kwargs):
        super().__init__(**({"dtype": "float32"} | kwargs))  # Keras' global policy would round what the network gets
        if isinstance(network, dict):  # its configuration, as Keras saved it
            network = keras.saving.deserialize_keras_object(network)
        if not isinstance(network, KerasNetwork):
            raise ConfigError(
                "network: expected a network as alexnet_tf.AlexNet makes it, or the model of an ImageClassifier, got "
                f"{type(network).__name__}"
            )
        self.network = network
        self.build(self.input_shape)

    def __call__(self, images, *args, **kwargs):
        """Return the last hidden layer of images (N, crop, crop, 3), refusing what are none as the networks do."""
        require_images(images, self.network.crop_size)
        return super().__call__(images, *args, **kwargs)

    def call(self, images):
        """Return the last hidden layer (N, units) float32 of images (N, crop, crop, 3), prepared as for the network."""
        return tf.cast(self.network.hidden(self.network.features(images)), tf.float32)

    def build(self, input_shape):
        """Make the network's variables, those of the last layer included, in which a saved file has them too."""
        if not self.network.built:
            self.network(tf.zeros((1, *input_shape[1:])))
        if not self.trainable:  # a file says it of the whole alone, and setting it there again would do nothing
            for layer in self.network.layers:
                layer.trainable = False
        self.built = True

    @property
    def layers(self):
        """The network's layers but for the last."""
        return self.network.layers[:-1]

    @property
    def variables(self):
        """The variables of `layers`: no gradient reaches the last one's, of which an optimizer would warn."""
        return [variable for variable in super().variables if not self._is_of_the_last_layer(variable)]

    @property
    def weights(self):
        """The weights of `layers`."""
        return [variable for variable in super().weights if not self._is_of_the_last_layer(variable)]

    def _is_of_the_last_layer(self, variable) -> bool:
        return any(variable is each for each in self.network.layers[-1].variables)

    @property
    def input_shape(self):
        """(None, crop, crop, 3), by which `keras.Sequential` is built as soon as a layer follows."""
        return (None, self.network.crop_size, self.network.crop_size, 3)

    @property
    def output_shape(self):
        """(None, units)."""
        return self.compute_output_shape(self.input_shape)

    def compute_output_shape(self, input_shape):
        """Return (N, units)."""
        inputs = tf.TensorSpec((1, *input_shape[1:]), tf.float32)
        return (input_shape[0], tf.function(self.call, autograph=False).get_concrete_function(inputs).output_shapes[-1])

    def get_config(self):
        """Return the arguments of the constructor."""
        return {**super().get_config(), "network": keras.saving.serialize_keras_object(self.network)}
