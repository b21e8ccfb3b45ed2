import keras
import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf.models.layers import Dense, TowerConv2D, inverted_dropout, original_dropout
from alexnet_tf.random_streams import RandomStreams
from tests.reference import towers as reference


def draw(rows, *, seed=7, step=0, batch=16):
    return RandomStreams(tf.constant([seed, step]), tf.constant(rows), batch)


def conv(*, side=9, channels=4, filters=6, kernel_size=3, towers=2, sees="own", seed=0, **options):
    """A layer with random weights, and an input for it as one array."""
    layer = TowerConv2D(filters=filters, kernel_size=kernel_size, towers=towers, sees=sees, bias=0.0, **options)
    generator = np.random.default_rng(seed)
    maps = generator.normal(size=(2, side, side, channels)).astype(np.float32)
    layer(tf.split(maps, towers, axis=-1))
    for variable in layer.weights:
        variable.assign(generator.normal(size=variable.shape))
    return layer, maps


def run(layer, maps, towers=2):
    return tf.concat(layer(tf.split(maps, towers, axis=-1)), axis=-1).numpy()


@pytest.mark.parametrize("padding", [(0, 0), (1, 1), (2, 2), (0, 3)])
@pytest.mark.parametrize("strides", [1, 4])
def test_own_towers_equal_two_convolutions_side_by_side(strides, padding):
    layer, maps = conv(strides=strides, padding=padding, kernel_size=5)
    kernel, bias = (np.asarray(variable) for variable in layer.weights)
    expected = reference.convolve_towers(maps, kernel, bias, stride=strides, padding=padding, towers=2)
    np.testing.assert_allclose(run(layer, maps), expected, rtol=1e-4, atol=1e-4)


def test_all_towers_equal_one_convolution_over_all_maps():
    layer, maps = conv(sees="all", padding=(1, 1))
    kernel, bias = (np.asarray(variable) for variable in layer.weights)
    expected = reference.convolve(maps, kernel, bias, stride=1, padding=(1, 1))
    np.testing.assert_allclose(run(layer, maps), expected, rtol=1e-4, atol=1e-4)


def test_one_tower_is_an_ordinary_convolution():
    layer, maps = conv(towers=1, padding=(1, 1))
    theirs = tf.nn.conv2d(maps, np.asarray(layer.kernel), 1, "SAME") + np.asarray(layer.bias)
    np.testing.assert_allclose(run(layer, maps, towers=1), theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("sees", "depth"), [("own", 2), ("all", 4)])
def test_kernels_are_as_deep_as_what_they_see(sees, depth):
    layer, _ = conv(sees=sees)
    assert layer.kernel.shape == (3, 3, depth, 6)


def test_own_towers_get_no_gradient_from_the_other_tower():
    layer, maps = conv()
    first, second = tf.split(tf.constant(maps), 2, axis=-1)
    with tf.GradientTape() as tape:
        tape.watch([first, second])
        output = layer([first, second])[0]
    own, other = tape.gradient(output, [first, second])
    assert np.any(own)
    assert other is None


def test_all_towers_get_gradients_from_both():
    layer, maps = conv(sees="all")
    halves = tf.split(tf.constant(maps), 2, axis=-1)
    with tf.GradientTape() as tape:
        tape.watch(halves)
        output = layer(halves)[0]
    assert all(np.any(slope) for slope in tape.gradient(output, halves))


@pytest.mark.parametrize("compiled", [False, True])
def test_in_bfloat16_the_gradient_of_the_bias_adds_up_as_in_float32(compiled):
    def gradient(dtype):
        layer = TowerConv2D(filters=4, kernel_size=3, padding=(1, 1), towers=2, sees="own", bias=0.0, dtype=dtype)
        maps = [tf.zeros((32, 27, 27, 2))] * 2
        layer(maps)
        upstream = [
            tf.constant(np.random.default_rng(n).normal(0.1, 1.0, (32, 27, 27, 2)), tf.bfloat16) for n in (0, 1)
        ]

        def of_bias():
            with tf.GradientTape() as tape:
                outputs = layer(maps)
            slopes = [tf.cast(each, output.dtype) for each, output in zip(upstream, outputs, strict=True)]
            return tape.gradient(outputs, layer.bias.value, output_gradients=slopes)

        return (tf.function(of_bias) if compiled else of_bias)(), upstream

    (exact, upstream), (rounded, _) = gradient("float32"), gradient("mixed_bfloat16")
    by_hand = np.concatenate([tf.cast(each, tf.float32).numpy().sum((0, 1, 2)) for each in upstream])  # some 2,300 each
    np.testing.assert_allclose(exact, by_hand, rtol=1e-4)
    np.testing.assert_allclose(rounded, by_hand, rtol=2**-8)  # one rounding


@pytest.mark.parametrize("compiled", [False, True])
def test_so_does_that_of_a_dense_layer(compiled):
    layer, plain = Dense(3, dtype="mixed_bfloat16"), keras.layers.Dense(3, dtype="mixed_bfloat16")
    x = tf.constant(np.random.default_rng(0).normal(size=(4096, 5)), tf.bfloat16)
    upstream = tf.constant(np.random.default_rng(1).normal(0.1, 1.0, (4096, 3)), tf.bfloat16)
    for each in (layer, plain):
        each.build(x.shape)
        each.set_weights([np.arange(15.0).reshape(5, 3) / 8, np.array([1.0, -2.0, 0.5])])

    def of_bias():
        with tf.GradientTape() as tape:
            output = layer(x)
        return output, tape.gradient(output, layer.bias.value, output_gradients=upstream)

    output, found = (tf.function(of_bias) if compiled else of_bias)()
    expected = (tf.function(plain) if compiled else plain)(x)
    np.testing.assert_array_equal(tf.cast(output, tf.float32), tf.cast(expected, tf.float32))
    np.testing.assert_allclose(found, tf.cast(upstream, tf.float32).numpy().sum(0), rtol=2**-8)


def test_224_pixels_become_55_by_three_lines_of_zeros_at_the_end():
    layer, maps = conv(side=224, channels=3, filters=4, kernel_size=11, towers=1, sees="all", strides=4, padding=(0, 3))
    output = run(layer, maps, towers=1)
    assert output.shape == (2, 55, 55, 4)
    kernel, bias = (np.asarray(variable) for variable in layer.weights)

    def convolved(border):
        padded = np.pad(maps, [(0, 0), border, border, (0, 0)])
        return tf.nn.conv2d(padded, kernel, 4, "VALID").numpy() + bias

    np.testing.assert_allclose(output, convolved((0, 3)), rtol=1e-4, atol=1e-4)
    # Without the zeros there is no 55th window; all others are the same, as windows start at pixel 0.
    np.testing.assert_allclose(output[:, :54, :54], convolved((0, 0)), rtol=1e-4, atol=1e-4)
    # With other numbers in the three lines only the last row and column change.
    lines = np.pad(maps, [(0, 0), (0, 3), (0, 3), (0, 0)], constant_values=1.0)
    other = tf.nn.conv2d(lines, kernel, 4, "VALID").numpy() + bias
    changed = np.abs(other - output).max(axis=(0, 3)) > 1e-3
    assert changed[54].all()
    assert changed[:, 54].all()
    assert not changed[:54, :54].any()


def test_the_layer_remembers_its_settings_and_starts_at_its_bias():
    layer = TowerConv2D(filters=4, kernel_size=3, padding=(1, 1), towers=2, sees="own", bias=1.0)
    layer.build([(1, 5, 5, 2), (1, 5, 5, 2)])
    np.testing.assert_array_equal(layer.bias, np.ones(4))
    again = TowerConv2D.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def test_original_dropout_masks_without_scaling_in_training():
    x = np.random.default_rng(0).uniform(1, 2, (16, 4000)).astype(np.float32)
    output = original_dropout(tf.constant(x), 0.3, draw=draw(range(16)), stream=6).numpy()
    kept = output != 0
    np.testing.assert_array_equal(output[kept], x[kept])
    # 64,000 draws: the share's standard deviation is 0.0018.
    assert kept.mean() == pytest.approx(0.7, abs=0.008)
    assert output.mean() == pytest.approx(0.7 * x.mean(), rel=0.02)
    assert not np.array_equal(kept[0], kept[1])


def test_original_dropout_multiplies_by_exactly_one_half_at_test():
    x = np.random.default_rng(0).normal(size=(4, 50)).astype(np.float32)
    np.testing.assert_array_equal(original_dropout(tf.constant(x), 0.5, draw=None, stream=6), x * 0.5)


def test_inverted_dropout_keeps_the_mean_and_does_nothing_at_test():
    x = tf.ones((16, 4000))
    output = inverted_dropout(x, 0.25, draw=draw(range(16)), stream=6).numpy()
    np.testing.assert_allclose(np.unique(output), [0, 4 / 3], rtol=1e-6)
    assert output.mean() == pytest.approx(1, abs=0.01)
    np.testing.assert_array_equal(inverted_dropout(x, 0.25, draw=None, stream=6), x)
    np.testing.assert_array_equal(inverted_dropout(x, 0, draw=draw(range(16)), stream=6), x)


def test_dropout_differs_between_layers_and_steps_but_not_between_repeats():
    x = tf.ones((16, 100))

    def mask(stream, step):
        return original_dropout(x, 0.5, draw=draw(range(16), step=step), stream=stream).numpy()

    np.testing.assert_array_equal(mask(6, 0), mask(6, 0))
    assert not np.array_equal(mask(6, 0), mask(7, 0))
    assert not np.array_equal(mask(6, 0), mask(6, 1))
