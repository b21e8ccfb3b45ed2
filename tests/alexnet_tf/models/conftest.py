import keras
import pytest
import tensorflow as tf

from alexnet_tf.models.layers import TowerConv2D


@pytest.fixture
def record(monkeypatch):
    """Note what goes in and out of every convolution and pool, as lists in order of computation."""
    notes = {"conv": [], "pool": []}
    for layer in (TowerConv2D, keras.layers.Conv2D):

        def conv(self, inputs, original=layer.call):
            output = original(self, inputs)
            joined = [tf.concat(maps, axis=-1) if isinstance(maps, list) else maps for maps in (inputs, output)]
            notes["conv"].append([maps.numpy() for maps in joined])
            return output

        monkeypatch.setattr(layer, "call", conv)
    pool = tf.nn.max_pool2d

    def max_pool(maps, *arguments):
        output = pool(maps, *arguments)
        notes["pool"].append((maps.numpy(), output.numpy()))
        return output

    monkeypatch.setattr(tf.nn, "max_pool2d", max_pool)
    return notes
