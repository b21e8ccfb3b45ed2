import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf.models.layers import LocallyConnected2D, locally_connected
from tests.reference import local as reference


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_two_positions_by_hand():
    # Maps 1 and 2 side by side, windows of 3: each position sees itself and its neighbour, and zeros around.
    maps = np.float32([[[[1], [2]]]])
    kernel = np.zeros((1, 2, 9, 1), np.float32)
    kernel[0, 0, 4], kernel[0, 0, 5] = 10, 100  # its centre, and what is right of it
    kernel[0, 1, 3], kernel[0, 1, 4], kernel[0, 1, 5] = 1000, 10_000, 7  # left, centre, and beyond the border
    bias = np.float32([[[0.5], [0.25]]])
    np.testing.assert_array_equal(locally_connected(maps, kernel, bias)[0, 0, :, 0], [210.5, 21_000.25])


@pytest.mark.parametrize(("size", "depth", "filters"), [(3, 5, 4), (1, 3, 2), (5, 2, 3)])
def test_it_equals_one_position_at_a_time(size, depth, filters):
    maps, bias = drawn(3, 6, 7, depth), drawn(6, 7, filters, seed=1)
    kernels = drawn(6, 7, size, size, depth, filters, seed=2)
    expected = reference.locally_connected(maps, kernels, bias)
    found = locally_connected(tf.constant(maps), tf.constant(kernels.reshape(6, 7, -1, filters)), tf.constant(bias))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_same_kernel_everywhere_is_a_convolution():
    maps, kernel = tf.constant(drawn(2, 6, 6, 4)), tf.constant(drawn(3, 3, 4, 5, seed=1))
    everywhere = tf.broadcast_to(tf.reshape(kernel, (1, 1, 36, 5)), (6, 6, 36, 5))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([maps, kernel, everywhere])
        local = locally_connected(maps, everywhere, tf.zeros((6, 6, 5)))
        shared = tf.nn.conv2d(maps, kernel, 1, "SAME")
        losses = [tf.reduce_sum(output * drawn(2, 6, 6, 5, seed=2)) for output in (local, shared)]
    np.testing.assert_allclose(local, shared, rtol=1e-4, atol=1e-4)
    found, expected = (tape.gradient(loss, maps) for loss in losses)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    # A shared kernel's slope is the sum of those of its copies.
    summed = tf.reduce_sum(tape.gradient(losses[0], everywhere), axis=(0, 1))
    np.testing.assert_allclose(tf.reshape(summed, kernel.shape), tape.gradient(losses[1], kernel), rtol=1e-4, atol=1e-4)


def test_a_position_has_weights_of_its_own():
    layer = LocallyConnected2D(filters=2, kernel_size=3)
    maps = tf.constant(drawn(1, 4, 5, 3))
    layer(maps)
    layer.set_weights([drawn(4, 5, 27, 2, seed=1), drawn(4, 5, 2, seed=2)])
    before = layer(maps).numpy()
    kernel = layer.kernel.numpy()
    kernel[1, 2] += 1
    layer.kernel.assign(kernel)
    changed = np.argwhere(np.abs(layer(maps).numpy() - before).max(axis=(0, 3)))
    assert changed.tolist() == [[1, 2]]


def test_bfloat16_keeps_its_weights_in_float32():
    layer = LocallyConnected2D(filters=4, kernel_size=3, dtype="mixed_bfloat16")
    maps = drawn(2, 4, 4, 8)
    assert layer(maps).dtype == tf.bfloat16
    assert {variable.dtype for variable in layer.weights} == {"float32"}
    layer.set_weights([drawn(4, 4, 72, 4, seed=1), drawn(4, 4, 4, seed=2)])
    exact = locally_connected(maps, layer.kernel.numpy(), layer.bias.numpy())
    # Eight bits of mantissa in 72 products of unit size.
    assert 0 < np.abs(tf.cast(layer(maps), tf.float32) - exact).max() < 0.3


def test_it_is_remade_from_its_configuration():
    layer = LocallyConnected2D(filters=4, kernel_size=3, name="local3")
    again = LocallyConnected2D.from_config(layer.get_config())
    assert (again.filters, again.kernel_size, again.name) == (4, 3, "local3")
