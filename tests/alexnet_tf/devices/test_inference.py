import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf.devices.inference import Inference
from alexnet_tf.errors import AlexNetError
from tests.alexnet_tf.small_training import split


@pytest.mark.parametrize(
    ("count", "batch_size", "sizes"),
    [(10, 4, {4}), (9, 4, {3}), (9, 128, {9}), (1, 8, {1}), (128, 64, {64})],
    ids=["a last batch that is filled up", "equal batches", "a small split", "one image", "whole batches"],
)
def test_batches_are_as_equal_as_they_can_be_and_every_image_comes_once(count, batch_size, sizes):
    seen = set()

    def forward(images):
        seen.add(images.shape[0])
        return tf.cast(images[:, None, 0, 0, :], tf.float32)

    images = split(count, 8)
    inference = Inference(forward, strategy=tf.distribute.OneDeviceStrategy("CPU:0"), batch_size=batch_size)
    found = np.concatenate(list(inference.logits(images)))
    np.testing.assert_array_equal(found[:, 0], images.pixels[:, 0, 0, :])
    assert seen == sizes


def test_replicas_share_a_batch_evenly(two_replicas):
    seen = set()

    def forward(images):
        seen.add(images.shape[0])
        return tf.cast(images[:, None, 0, 0, :], tf.float32)

    images = split(9, 8)
    found = np.concatenate(list(Inference(forward, strategy=two_replicas, batch_size=8).logits(images)))
    np.testing.assert_array_equal(found[:, 0], images.pixels[:, 0, 0, :])
    assert seen == {3}  # two batches of 6, three a replica


def test_only_the_images_that_are_asked_for_come_in_the_order_asked():
    images, positions = split(9, 8), np.array([7, 2, 2, 5, 0])
    inference = Inference(
        lambda each: tf.cast(each[:, None, 0, 0, :], tf.float32),
        strategy=tf.distribute.OneDeviceStrategy("CPU:0"),
        batch_size=2,
    )
    found = list(inference.logits(images, positions))
    assert [len(each) for each in found] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate(found)[:, 0], images.pixels[positions, 0, 0, :])


def test_an_empty_split_has_no_logits():
    inference = Inference(tf.identity, strategy=tf.distribute.OneDeviceStrategy("CPU:0"), batch_size=8)
    assert list(inference.logits(split(0, 8))) == []


def test_too_little_memory_is_one_sentence_with_the_key(monkeypatch):
    inference = Inference(tf.identity, strategy=tf.distribute.OneDeviceStrategy("CPU:0"), batch_size=4)

    def full(_):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(inference, "_step", full)
    with pytest.raises(
        AlexNetError, match=r"too little memory for 3 images at once on 1 device.*evaluation\.batch_size"
    ):
        list(inference.logits(split(9, 8)))
