from types import SimpleNamespace

import numpy as np
import pytest

from alexnet_tf.evaluation.occlusion import occlusion


class Tensor(np.ndarray):
    """What the fake's views are: an array that has `.numpy()`."""

    def numpy(self):
        return np.asarray(self)


@pytest.fixture
def bright_corner():
    """A network of two classes that looks at the top left quarter alone: the brighter, the more of class 1."""

    def network(views):
        import tensorflow as tf

        corner = tf.reduce_mean(views[:, :8, :8], axis=(1, 2, 3))
        return tf.stack([0.0 * corner, corner], axis=1)

    def center(images):
        return (np.float32(images) - views.mean).view(Tensor) / 2

    views = SimpleNamespace(spec=SimpleNamespace(divide_by=2.0), mean=np.float32([10, 20, 30]), center=center)
    return SimpleNamespace(compiled=lambda: network, views=views, crop_size=32)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(60, 90, (2, 32, 32, 3), dtype=np.uint8)


def test_the_part_that_the_answer_rests_on_stays_bright(bright_corner, images):
    found = occlusion(bright_corner, images)
    assert found.classes.tolist() == [1, 1]
    assert found.lowest == pytest.approx([0.5, 0.5])  # with the whole corner hidden both classes are alike
    assert (found.probabilities > 0.99).all()
    np.testing.assert_allclose(found.pictures[:, 0, 0], images[:, 0, 0], atol=1)
    np.testing.assert_allclose(found.pictures[:, 12:, 12:], 0.2 * images[:, 12:, 12:], atol=1)


def test_an_answer_that_rests_on_no_part_leaves_the_picture_dark(bright_corner, images):
    bright_corner.compiled = lambda: lambda views: 0 * views[:, 0, 0, :2] + [1.0, 0.0]
    found = occlusion(bright_corner, images)
    assert found.classes.tolist() == [0, 0]
    np.testing.assert_array_equal(found.lowest, found.probabilities)
    np.testing.assert_allclose(found.pictures, 0.2 * images, atol=1)
