"""Networks of the library in Keras' own `fit`, and the units that dropout takes from them there."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from alexnet_tf.models import alexnet_bn
from alexnet_tf.models.layers import DropoutDraws
from alexnet_tf.models.weights import model_arrays
from tests.alexnet_tf.models.test_networks import draw
from tests.alexnet_tf.small_networks import small, small_bn, striped_images

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
pytestmark = pytest.mark.usefixtures("seeded")


def compiled(model, learning_rate):
    model.compile(keras.optimizers.SGD(learning_rate, momentum=0.9), LOSS)
    return model


def losses(model, epochs=3, **options):
    x, y = striped_images()
    settings = {"epochs": epochs, "batch_size": len(x), "shuffle": False, "verbose": 0} | options
    return model.fit(x, y, **settings).history["loss"]


def fitted_share(model, epochs=20):
    """Fit, and return the loss after over the loss before, of the same images without dropout."""
    before = model.evaluate(*striped_images(), verbose=0)
    losses(model, epochs)
    return model.evaluate(*striped_images(), verbose=0) / before


@pytest.mark.parametrize(
    ("make", "learning_rate"), [pytest.param(small, 1e-4, marks=pytest.mark.slow), (small_bn, 1e-2)]
)
def test_fit_learns(make, learning_rate):
    assert fitted_share(compiled(make(), learning_rate)) < 0.8


@pytest.mark.parametrize("make", [small, pytest.param(small_bn, marks=pytest.mark.slow)])
def test_fit_drops_other_units_in_every_step(make):
    """With a rate of 0 nothing but dropout can change the loss: batch normalization sees the same batch."""
    found = losses(compiled(make(), 0.0))
    assert len(set(found)) == 3
    without = losses(compiled(make(dropout=0.0), 0.0))
    np.testing.assert_allclose(without, without[0], rtol=1e-6)


@pytest.mark.parametrize("make", [small, small_bn])
def test_two_training_passes_differ_and_two_test_passes_do_not(make):
    model, (x, _) = make(), striped_images()
    first, second = model(x, training=True), model(x, training=True)
    assert np.all(np.abs(first - second).max(axis=1) > 0)
    np.testing.assert_array_equal(model(x, training=False), model(x, training=False))


def test_the_same_seed_drops_the_same_units():
    x, _ = striped_images()
    once, again, other = (small(seed) for seed in (3, 3, 4))
    other.set_weights(once.get_weights())
    np.testing.assert_array_equal(once(x, training=True), again(x, training=True))
    assert not np.array_equal(once(x, training=True), other(x, training=True))


def test_half_of_fc6_and_of_fc7_is_dropped_in_fit():
    model = small()
    inner, seen = model.dropout, []

    def watched(x, rate, *, draw, stream):
        dropped = inner(x, rate, draw=draw, stream=stream)
        seen.append((stream, x.numpy(), dropped.numpy()))
        return dropped

    model.dropout = watched
    model.compile(keras.optimizers.SGD(0.0), LOSS, run_eagerly=True)
    losses(model, epochs=2)
    assert [stream for stream, _, _ in seen] == [6, 7, 6, 7]
    for _, before, after in seen:
        alive = before > 0
        assert alive.sum() > 1000
        np.testing.assert_array_equal(after[alive & (after != 0)], before[alive & (after != 0)])  # §4.2: not scaled
        dropped = int((after[alive] == 0).sum())
        assert stats.binomtest(dropped, int(alive.sum()), 0.5).pvalue > 1e-4
    masks = [after == 0 for _, _, after in seen]
    assert all(np.mean(one != other) > 0.1 for one in masks for other in masks if one is not other)


def test_fc6_and_fc7_of_the_optimized_network_drop_units_of_their_own(monkeypatch):
    model, (x, _) = small_bn(dropout=0.3, dense_units=[400, 400]), striped_images()
    inner, seen = alexnet_bn.inverted_dropout, []

    def watched(x, rate, *, draw, stream):
        dropped = inner(x, rate, draw=draw, stream=stream)
        seen.append((stream, x.numpy(), dropped.numpy()))
        return dropped

    monkeypatch.setattr(alexnet_bn, "inverted_dropout", watched)
    model(x, training=True)
    assert [stream for stream, _, _ in seen] == [6, 7]
    for _, before, after in seen:
        alive = before != 0
        assert alive.sum() > 1000
        kept = alive & (after != 0)
        np.testing.assert_allclose(after[kept], before[kept] / 0.7, rtol=1e-6)
        assert stats.binomtest(int((alive & ~kept).sum()), int(alive.sum()), 0.3).pvalue > 1e-4
    (_, fc6, dropped6), (_, fc7, dropped7) = seen
    alive = (fc6 != 0) & (fc7 != 0)
    assert np.mean((dropped6 == 0)[alive] != (dropped7 == 0)[alive]) > 0.3  # 0.42 of independent masks


def masks_of(model, strategy, steps=2):
    """Whether each of (steps, 2 replicas, 64, 400) units was dropped, where all replicas see the same images."""
    same = strategy.experimental_distribute_values_from_function(lambda _: tf.ones((64, 400)))

    def step(ones):
        draw = model._dropout_draws.next(tf.shape(ones)[0])
        return model.dropout(ones, 0.5, draw=draw, stream=6)

    run = tf.function(lambda ones: strategy.run(step, args=(ones,)))
    return np.array([[each.numpy() for each in strategy.experimental_local_results(run(same))] for _ in range(steps)])


def test_two_replicas_drop_different_units(two_replicas):
    with two_replicas.scope():
        model = small()
    masks = masks_of(model, two_replicas).reshape(4, -1)
    # Independent masks agree at half of their n units; the share has a deviation of 0.5 / √n.
    for one in range(4):
        for other in range(one):
            assert abs(np.mean(masks[one] == masks[other]) - 0.5) < 5 * 0.5 / masks.shape[1] ** 0.5
    x, _ = striped_images(4)
    same = two_replicas.experimental_distribute_values_from_function(lambda _: tf.constant(x))
    run = tf.function(lambda x: two_replicas.run(lambda x: model(x, training=True), args=(x,)))
    one, two = two_replicas.experimental_local_results(run(same))
    assert np.all(np.abs(one - two).max(axis=1) > 0)


@pytest.mark.slow
@pytest.mark.parametrize(("make", "learning_rate"), [(small, 1e-4), (small_bn, 1e-2)])
def test_fit_works_on_two_replicas(two_replicas, make, learning_rate):
    with two_replicas.scope():
        model = compiled(make(), learning_rate)
    assert fitted_share(model) < 0.8
    for variable in model.weights:
        one, two = two_replicas.experimental_local_results(variable.value)
        np.testing.assert_array_equal(one, two)
    assert [int(each) for each in two_replicas.experimental_local_results(model._dropout_draws._calls)] == [40, 40]


def test_dropout_draws_work_outside_of_replicas_too(two_replicas):
    with two_replicas.scope():
        model = small()
        x = striped_images(4)[0]
        assert np.abs(model(x, training=True) - model(x, training=True)).max() > 0


def test_no_two_calls_draw_alike():
    draws = DropoutDraws(7)
    seeds = [tuple(draws.next(3).seed.numpy()) for _ in range(5)]
    assert seeds == [(7, number) for number in range(5)]


def test_no_two_calls_draw_alike_in_replicas_and_outside_of_them(two_replicas):
    with two_replicas.scope():
        draws = DropoutDraws(7)

    def inside():
        found = [two_replicas.run(lambda: draws.next(3).seed) for _ in range(3)]
        return [tuple(seed.numpy()) for pair in found for seed in two_replicas.experimental_local_results(pair)]

    seeds = [*inside(), tuple(draws.next(3).seed.numpy()), *inside()]
    assert seeds[:6] == [(7, number) for number in range(6)]
    assert len(set(seeds)) == len(seeds)


def test_the_count_of_calls_is_no_weight_and_in_no_file(tmp_path):
    model = small()
    model(striped_images(2)[0], training=True)
    assert len(model.weights) == len(model.variables) == 16
    assert set(model_arrays(model)) == {
        f"{name}/{kind}"
        for name in ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")
        for kind in ("kernel", "bias")
    }
    model.save_weights(tmp_path / "model.weights.h5")
    again = small(seed=1)
    again.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(again(striped_images(2)[0]), model(striped_images(2)[0]))


def test_a_draw_that_is_given_leaves_the_count_alone():
    model = small()
    model(striped_images(2)[0], training=True, draw=draw())
    assert model._dropout_draws._calls.numpy() == 0
