import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet_tf.models.batch_norm import EPSILON, BatchNormActivation, activation, batch_normalized_activation, gelu

CHANNELS = 5


def random_maps(count=6, *, seed=0, offset=0.0):
    return (np.random.default_rng(seed).normal(offset, 2.0, (count, 3, 4, CHANNELS)) + 1.0).astype(np.float32)


def weights(seed=7):
    generator = np.random.default_rng(seed)
    return [generator.normal(size=CHANNELS).astype(np.float32) for _ in range(2)]


def exact(x, gamma, beta, name):
    """The formula in float64, by NumPy."""
    x = np.asarray(x, np.float64)
    axes = tuple(range(x.ndim - 1))
    z = gamma * (x - x.mean(axes)) / np.sqrt(x.var(axes) + EPSILON) + beta
    return z / (1 + np.exp(-1.702 * z)) if name == "gelu" else np.maximum(z, 0)


def normalized(x, gamma, beta, name="relu", shift=None):
    shift = tf.zeros(CHANNELS) if shift is None else tf.constant(shift)
    return batch_normalized_activation(tf.constant(x), gamma, beta, shift, activation=name)


def test_by_hand():
    # Of 1, 3, 5, 7: mean 4, variance 5; 2·(x - 4)/√5 + 1, rectified.
    x = tf.constant([[1.0], [3.0], [5.0], [7.0]])
    output, mean, variance = batch_normalized_activation(
        x, tf.constant([2.0]), tf.constant([1.0]), tf.zeros(1), activation="relu"
    )
    assert (float(mean[0]), float(variance[0])) == (4.0, 5.0)
    np.testing.assert_allclose(output[:, 0], [0, 1 - 2 / 5**0.5, 1 + 2 / 5**0.5, 1 + 6 / 5**0.5], rtol=1e-5)


def test_gelu_by_hand_and_near_the_exact_one():
    # z·σ(1.702 z) at 1: 1 / (1 + e^-1.702) = 0.84579.
    assert float(gelu(tf.constant(1.0))) == pytest.approx(0.84579, abs=1e-5)
    z = np.linspace(-6, 6, 101, dtype=np.float32)
    assert np.abs(gelu(z) - tf.nn.gelu(z, approximate=False)).max() < 0.021
    np.testing.assert_allclose(activation(tf.constant(z[:, None]), "gelu")[:, 0], gelu(z), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(6, 3, 4, CHANNELS), (12, CHANNELS)])
def test_values_and_gradients_are_those_of_the_keras_layer(shape):
    x, upstream = (np.random.default_rng(seed).normal(1, 2, shape).astype(np.float32) for seed in (0, 1))
    gamma, beta = weights()
    ours = BatchNormActivation(activation="relu", momentum=0.9, learn_scale=True)
    theirs = keras.layers.BatchNormalization(momentum=0.9, epsilon=EPSILON)
    results = []
    for layer, after in ((ours, tf.identity), (theirs, tf.nn.relu)):
        layer.build(shape)
        layer.gamma.assign(gamma)
        layer.beta.assign(beta)
        inputs = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            output = after(layer(inputs, training=True))
        slopes = tape.gradient(
            output, [inputs, layer.gamma.value, layer.beta.value], output_gradients=tf.constant(upstream)
        )
        moving = [layer.moving_mean.numpy(), layer.moving_variance.numpy()]
        results.append([output, *slopes, *moving, after(layer(inputs, training=False))])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", ["relu", "gelu"])
def test_gradients_equal_finite_differences(name):
    x, upstream = random_maps(), random_maps(seed=1)
    gamma, beta = weights()
    inputs = [tf.constant(value) for value in (x, gamma, beta)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = batch_normalized_activation(*inputs, tf.zeros(CHANNELS), activation=name)[0]
    slopes = tape.gradient(output, inputs, output_gradients=tf.constant(upstream))
    step = 1e-6
    for position, places in enumerate([[(0, 0, 0, 0), (5, 2, 3, 4), (2, 1, 0, 3)], [(0,), (4,)], [(1,), (3,)]]):
        for place in places:
            sums = []
            for sign in (1, -1):
                values = [np.array(value, np.float64) for value in (x, gamma, beta)]
                values[position][place] += sign * step
                sums.append(np.sum(upstream * exact(*values, name)))
            slope = (sums[0] - sums[1]) / (2 * step)
            assert float(slopes[position].numpy()[place]) == pytest.approx(slope, rel=1e-3, abs=1e-4)


@given(st.integers(0, 50), st.sampled_from(["relu", "gelu"]))
@settings(max_examples=8)  # each example runs compiled programs
def test_properties(seed, name):
    x = random_maps(seed=seed)
    gamma, beta = weights(seed)
    found = normalized(x, gamma, beta, name)[0].numpy()
    np.testing.assert_allclose(found, exact(x, gamma, beta, name), rtol=1e-4, atol=1e-5)
    # Neither the maps' scale and offset nor their places matter; the guess of the mean does not either.
    np.testing.assert_allclose(normalized(3 * x + 5, gamma, beta, name)[0], found, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(normalized(x[::-1], gamma, beta, name)[0], found[::-1], rtol=1e-4, atol=1e-5)
    shifted = normalized(x, gamma, beta, name, shift=np.full(CHANNELS, 1.5, np.float32))[0]
    np.testing.assert_allclose(shifted, found, rtol=1e-4, atol=1e-5)


def test_the_gradient_is_orthogonal_to_what_normalization_removes():
    # Adding a constant to a channel, or scaling it, changes nothing, so the gradient has no such part.
    x = tf.constant(random_maps())
    with tf.GradientTape() as tape:
        tape.watch(x)
        output = normalized(x, *weights(), "gelu")[0]
    slope = tape.gradient(output, x, output_gradients=tf.constant(random_maps(seed=1))).numpy()
    size = np.abs(slope).sum((0, 1, 2))
    assert np.all(np.abs(slope.sum((0, 1, 2))) < 1e-4 * size)
    centred = x.numpy() - x.numpy().mean((0, 1, 2))
    assert np.all(np.abs((slope * centred).sum((0, 1, 2))) < 1e-4 * np.abs(slope * centred).sum((0, 1, 2)))


def test_a_guess_of_the_mean_keeps_the_digits_of_the_variance():
    x = random_maps(offset=3000.0)
    true = x.astype(np.float64).var((0, 1, 2))
    guessed = normalized(x, *weights(), shift=np.full(CHANNELS, 3000, np.float32))[2]
    np.testing.assert_allclose(guessed, true, rtol=1e-4)
    assert np.abs(normalized(x, *weights())[2] / true - 1).max() > 1e-3  # what it is there for


def test_bfloat16_runs_both_ways_and_keeps_its_statistics_in_float32():
    x = tf.cast(random_maps(), tf.bfloat16)
    gamma, beta = weights()
    with tf.GradientTape() as tape:
        tape.watch(x)
        output, mean, variance = batch_normalized_activation(x, gamma, beta, tf.zeros(CHANNELS), activation="gelu")
    assert output.dtype == tape.gradient(output, x).dtype == tf.bfloat16
    assert mean.dtype == variance.dtype == tf.float32
    seen = tf.cast(x, tf.float32).numpy()
    np.testing.assert_allclose(mean, seen.mean((0, 1, 2)), rtol=1e-5)
    # One rounding to 8 bits.
    np.testing.assert_allclose(tf.cast(output, tf.float32), exact(seen, gamma, beta, "gelu"), rtol=2**-8, atol=1e-4)


@pytest.mark.parametrize(("learn_scale", "share"), [(False, 4), (True, 4), (True, 5), (True, 8)])
def test_two_replicas_normalize_by_the_global_batch(two_replicas, learn_scale, share):
    x, upstream = random_maps(8), random_maps(8, seed=1)

    def run(layer, inputs, slopes):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            variables = [variable.value for variable in layer.trainable_variables]
            tape.watch(variables)
            output = layer(inputs, training=True)
        own, *shared = tape.gradient(output, [inputs, *variables], output_gradients=slopes)
        context = tf.distribute.get_replica_context()
        return output, own, [context.all_reduce("SUM", gradient) for gradient in shared]

    alone = BatchNormActivation(activation="gelu", momentum=0.8, learn_scale=learn_scale)
    alone.build(x.shape)
    output, own, shared = run(alone, tf.constant(x), tf.constant(upstream))
    with two_replicas.scope():
        layer = BatchNormActivation(activation="gelu", momentum=0.8, learn_scale=learn_scale)
        layer.build((None, *x.shape[1:]))

    def part(values):
        return two_replicas.experimental_distribute_values_from_function(
            lambda context: tf.constant(np.split(values, [share])[context.replica_id_in_sync_group])
        )

    step = tf.function(lambda inputs, slopes: two_replicas.run(lambda a, b: run(layer, a, b), args=(inputs, slopes)))
    halves = [two_replicas.experimental_local_results(value) for value in step(part(x), part(upstream))[:2]]
    for whole, half in zip((output, own), halves, strict=True):
        np.testing.assert_allclose(tf.concat(half, axis=0), whole, rtol=1e-4, atol=1e-5)
    for variable, same in zip(layer.non_trainable_variables, alone.non_trainable_variables, strict=True):
        first, second = two_replicas.experimental_local_results(variable.value)
        np.testing.assert_array_equal(first, second)
        np.testing.assert_allclose(first, same, rtol=1e-5)
    gradients = step(part(x), part(upstream))[2]
    for gradient, same in zip(gradients, shared, strict=True):
        np.testing.assert_allclose(two_replicas.experimental_local_results(gradient)[0], same, rtol=1e-4, atol=1e-4)


def test_the_layer_is_remade_from_its_configuration():
    layer = BatchNormActivation(activation="gelu", momentum=0.7, learn_scale=True, name="norm3")
    again = BatchNormActivation.from_config(layer.get_config())
    assert (again.activation, again.momentum, again.learn_scale, again.name) == ("gelu", 0.7, True, "norm3")
