"""What the three networks have in common as Keras models: checked inputs, and a configuration that remakes them."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from alexnet_tf.errors import DataError
from alexnet_tf.models.initial_weights import initialize
from alexnet_tf.models.layers import LOGITS_DTYPE

_FROZEN = "frozen"  # in a configuration: Keras' own has `trainable` of the whole alone


class KerasNetwork(keras.Model):
    """A network of a description: (N, crop, crop, 3) float32 images -> logits (N, K) float32.

    Args:
        spec: The description, checked.
        crop_size: Height and width of the input in pixels.
        num_classes: K.
        seed: Of the initial weights and of the network's own draws, 0 to 2^31 - 1.
    """

    def __init__(self, spec, crop_size: int, num_classes: int, seed: int, **kwargs):
        super().__init__(**kwargs)
        self.spec, self.crop_size, self.num_classes, self.seed = spec, crop_size, num_classes, seed

    def __call__(self, inputs, *args, **kwargs):
        """Call the network as Keras does, once the images are found to be some.

        Raises:
            DataError: As of `require_images`; within `call`, Keras would put a page around the sentence.
        """
        require_images(inputs, self.crop_size)
        return super().__call__(inputs, *args, **kwargs)

    @property
    def input_shape(self):
        """(None, crop, crop, 3), by which `keras.Sequential` is built as soon as a layer follows."""
        return (None, self.crop_size, self.crop_size, 3)

    @property
    def output_shape(self):
        """(None, K)."""
        return self.compute_output_shape(self.input_shape)

    def compute_output_shape(self, input_shape):
        """Return (N, K)."""
        return (input_shape[0], self.num_classes)

    def compute_output_spec(self, inputs, *args, **kwargs):
        """Return the shape and the type of the logits, which are float32 in every precision."""
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), LOGITS_DTYPE)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return the network with its initial weights, as `networks.build` draws them from the same seed."""
        network = super().from_config({key: value for key, value in config.items() if key != _FROZEN}, custom_objects)
        initialize(network)
        for layer in network.layers:
            if layer.name in config.get(_FROZEN, ()):
                layer.trainable = False
        return network

    def get_config(self):
        """Return the arguments of the constructor, and the names of frozen layers where there are any."""
        frozen = [layer.name for layer in self.layers if layer.weights and not layer.trainable]
        return {
            **super().get_config(),
            "spec": self.spec.model_dump(),
            "crop_size": self.crop_size,
            "num_classes": self.num_classes,
            "seed": self.seed,
            **({_FROZEN: frozen} if frozen else {}),
        }


def require_images(images: Any, crop_size: int) -> None:
    """Refuse what a network would answer with nonsense, or of which a check of TensorFlow would end the process.

    Args:
        images: (N, crop, crop, 3) of a floating type; dimensions that are not known yet are not checked.
        crop_size: Height and width in pixels.

    Raises:
        DataError: The shape is another, or the type is not floating.
    """
    images = images if hasattr(images, "shape") and hasattr(images, "dtype") else np.asarray(images)
    shape = images.shape
    if getattr(shape, "rank", 4) is None:  # of a tf.TensorShape
        return
    expected = (None, crop_size, crop_size, 3)
    found = tuple(shape)
    if len(found) != 4 or any(None not in pair and pair[0] != pair[1] for pair in zip(found, expected, strict=True)):
        way_out = (
            "one image needs images[None]" if found == expected[1:] else "ImageClassifier.inputs makes such images"
        )
        raise DataError(
            f"the network takes images of shape (N, {crop_size}, {crop_size}, 3), RGB, got {found}; {way_out}"
        )
    if not tf.as_dtype(images.dtype).is_floating:
        raise DataError(
            "the network takes float32 images, minus the mean of the training images and divided as in the training, "
            f"got {tf.as_dtype(images.dtype).name}; ImageClassifier.inputs prepares them"
        )
