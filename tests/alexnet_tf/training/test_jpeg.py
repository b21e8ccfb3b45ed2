import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from alexnet_tf.training.jpeg import resaved
from tests.alexnet_tf.small_training import images


def by_pillow(pixels, quality):
    """Return an image as Pillow reads it after it has saved it with its own defaults."""
    if quality == 0:
        return pixels
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


@pytest.mark.parametrize("side", [32, 31])
def test_an_image_is_what_pillow_makes_of_it(side):
    noise = np.random.default_rng(0).integers(-20, 20, (7, side, side, 3))
    stored = (images(7, side) + noise).clip(0, 255).astype(np.uint8)
    qualities = [1, 0, 50, 75, 95, 100, 0]
    expected = [by_pillow(pixels, quality) for pixels, quality in zip(stored, qualities, strict=True)]
    found = tf.function(resaved)(tf.constant(stored), tf.constant(qualities)).numpy()
    np.testing.assert_array_equal(found, expected)
    assert (found[0] != stored[0]).any()


def test_no_quality_is_no_change():
    stored = images(3, 16)
    np.testing.assert_array_equal(resaved(stored, np.zeros(3, np.int32)), stored)
