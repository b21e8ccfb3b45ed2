"""A network without its last layer, as a Keras model to put a new one on."""

import keras
import tensorflow as tf

from alexnet_tf.models.keras_network import require_images


@keras.saving.register_keras_serializable("alexnet_tf")
class Features(keras.Model):
    """The last hidden layer of a network as a model: (N, crop, crop, 3) float32 -> (N, units) float32.

    In `fit`, too, it computes as at test: no dropout, batch normalization by its moving statistics, so that a few
    images of a new set do not undo them. Its variables are those of the network: training one changes the other.

    Args:
        network: A built network of `alexnet_tf.models.networks`, or its configuration as Keras saved it.
    """

    def __init__(self, network, **kwargs):
        super().__init__(**({"dtype": "float32"} | kwargs))  # Keras' global policy would round what the network gets
        self.network = keras.saving.deserialize_keras_object(network) if isinstance(network, dict) else network

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

    def compute_output_shape(self, input_shape):
        """Return (N, units)."""
        inputs = tf.TensorSpec((1, *input_shape[1:]), tf.float32)
        return (input_shape[0], tf.function(self.call, autograph=False).get_concrete_function(inputs).output_shapes[-1])

    def get_config(self):
        """Return the arguments of the constructor."""
        return {**super().get_config(), "network": keras.saving.serialize_keras_object(self.network)}
