import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from lean import LEAN
from scipy import stats

import alexnet_tf as an
from alexnet_tf.models import alexnet_bn
from alexnet_tf.models.layers import DropoutDraws
from alexnet_tf.models.weights import model_arrays

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
pytestmark = pytest.mark.usefixtures("seeded")


def small(seed=0, **changes):
    """The paper's network with few kernels, large enough weights to answer, and 400 units in fc6 and fc7."""
    spec = {"filters": [8, 16, 16, 16, 16], "dense_units": [400, 400], "weight_stddev": [0.1] * 8} | changes
    return an.build(an.AlexNetSpec(**spec), crop_size=63, num_classes=5, seed=seed)


def small_bn(seed=0, **changes):
    spec = {"filters": [8] * 5, "dense_units": [64, 64], "dropout": 0.5} | changes
    return an.build(an.AlexNetBNSpec(**spec), crop_size=63, num_classes=5, seed=seed)


def images(count=16, side=63):
    """Each of five classes is a bright stripe at its own place, on noise; centred."""
    pixels = np.random.default_rng(0).integers(0, 60, (count, side, side, 3)).astype(np.float32)
    labels = np.arange(count) % 5
    for image, label in zip(pixels, labels, strict=True):
        image[:, label * 12 : label * 12 + 12] += 190
    return pixels - pixels.mean(axis=(0, 1, 2)), labels


def compiled(model, learning_rate):
    model.compile(keras.optimizers.SGD(learning_rate, momentum=0.9), LOSS)
    return model


def losses(model, epochs=3, **options):
    x, y = images()
    settings = {"epochs": epochs, "batch_size": len(x), "shuffle": False, "verbose": 0} | options
    return model.fit(x, y, **settings).history["loss"]


@pytest.fixture(scope="module")
def full():
    """The front door's own network, 61 million parameters."""
    return an.AlexNet()


def test_it_is_the_network_of_the_paper(full):
    assert isinstance(full, keras.Model)
    assert full.built
    assert full.count_params() == 60_965_224
    assert full.spec == an.alexnet_spec("original")
    assert (full.crop_size, full.num_classes) == (224, 1000)


def test_initial_weights_and_biases_are_those_of_section_5():
    model = an.AlexNet(num_classes=5, crop_size=63, profile="paper")
    arrays = model_arrays(model)
    for number, name in enumerate(("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")):
        kernel = arrays[f"{name}/kernel"].astype(np.float64)
        # The mean of n draws from N(0, 0.01) has a deviation of 0.01 / √n, their deviation one of 0.01 / √(2n).
        assert abs(kernel.mean()) < 4 * 0.01 / kernel.size**0.5
        assert abs(kernel.std() - 0.01) < 4 * 0.01 / (2 * kernel.size) ** 0.5
        assert set(arrays[f"{name}/bias"]) == {1.0 if number in (1, 3, 4, 5, 6) else 0.0}


def test_profiles_and_seeds_differ():
    stddev = {profile: an.alexnet_spec(profile).weight_stddev for profile in ("original", "paper", "caffe")}
    assert stddev["original"][2] == 0.03
    assert stddev["paper"] == [0.01] * 8
    assert stddev["caffe"][5] == 0.005
    one, same, other = (small(seed).convs[0].kernel.numpy() for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("make", [lambda: an.AlexNet(5, 63), lambda: an.AlexNetBN(5, 63), lambda: an.FourLayer(5, 63)])
def test_an_untrained_network_answers(make):
    logits = make()(images()[0]).numpy()
    assert logits.shape == (16, 5)
    assert logits.dtype == np.float32
    assert len(np.unique(logits)) > 16


def fitted_share(model, epochs=20):
    """Fit, and return the loss after over the loss before, of the same images without dropout."""
    before = model.evaluate(*images(), verbose=0)
    losses(model, epochs)
    return model.evaluate(*images(), verbose=0) / before


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
    model, (x, _) = make(), images()
    first, second = model(x, training=True), model(x, training=True)
    assert np.all(np.abs(first - second).max(axis=1) > 0)
    np.testing.assert_array_equal(model(x, training=False), model(x, training=False))


def test_the_same_seed_drops_the_same_units():
    x, _ = images()
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
    model, (x, _) = small_bn(dropout=0.3, dense_units=[400, 400]), images()
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
    x, _ = images(4)
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
        x = images(4)[0]
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
    model(images(2)[0], training=True)
    assert len(model.weights) == len(model.variables) == 16
    assert set(model_arrays(model)) == {
        f"{name}/{kind}"
        for name in ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")
        for kind in ("kernel", "bias")
    }
    model.save_weights(tmp_path / "model.weights.h5")
    again = small(seed=1)
    again.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(again(images(2)[0]), model(images(2)[0]))


def test_a_draw_that_is_given_leaves_the_count_alone():
    from tests.alexnet_tf.models.test_networks import draw

    model = small()
    model(images(2)[0], training=True, draw=draw())
    assert model._dropout_draws._calls.numpy() == 0


def test_a_keras_file_loads_in_a_fresh_process(tmp_path, root):
    """As the stage export writes it, with nothing but the import of the package."""
    from alexnet_tf.export.keras_file import save_keras

    x = images(2)[0]
    np.save(tmp_path / "x.npy", x)
    models = {"2012": small(seed=5), "bn": small_bn(seed=6), "four": an.FourLayer(5, 63)}
    for name, model in models.items():
        save_keras(model, tmp_path / f"{name}.keras")
    program = """
import sys
import alexnet_tf as an
import keras
import numpy as np
x = np.load("x.npy")
for name, seed in (("2012", 5), ("bn", 6), ("four", None)):
    model = keras.saving.load_model(name + ".keras", custom_objects=an.custom_objects())
    np.save(name + ".npy", model(x))
    if seed:
        assert model.seed == seed
        assert np.abs(model(x, training=True) - model(x, training=True)).max() > 0
"""
    environment = os.environ | {"PYTHONPATH": str(root)}
    subprocess.run(
        [sys.executable, "-c", LEAN + program], cwd=tmp_path, env=environment, check=True, capture_output=True
    )
    for name, model in models.items():
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), model(x))


def test_all_classes_of_the_package_that_keras_knows_are_custom_objects():
    ours = set(an.custom_objects())  # which imports them
    assert ours == {name for name in keras.saving.get_custom_objects() if name.startswith("alexnet_tf>")}


ALL = pytest.mark.parametrize("make", [an.AlexNet, an.AlexNetBN, an.FourLayer])


@ALL
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"crop_size": 3}, r"crop_size: expected at least \d+ pixels, got 3: the crop is too small for this network"),
        ({"crop_size": (63, 63)}, r"crop_size: expected a whole number of at least 1, got \(63, 63\)"),
        ({"crop_size": 63.0}, "crop_size: expected a whole number of at least 1, got 63.0"),
        ({"seed": -1}, r"seed: expected a whole number from 0 to 2\^31 - 1, got -1"),
        ({"seed": 2**31}, "seed: expected .*, got 2147483648"),
        ({"seed": 0.5}, "seed: expected .*, got 0.5"),
        ({"seed": None}, "seed: expected .*, got None"),
        ({"seed": "x"}, "seed: expected .*, got 'x'"),
        ({"num_classes": 0}, "num_classes: expected a whole number of at least 1, got 0"),
        ({"num_classes": None}, "num_classes: expected .*, got None"),
        ({"num_classes": True}, "num_classes: expected .*, got True"),
        ({"precision": "float16"}, "precision: expected float32 or bfloat16, got 'float16'"),
        ({"name": "a/b"}, "name: expected a word without /, or None, got 'a/b'"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(make, change, sentence):
    with pytest.raises(an.ConfigError, match=f"^{sentence}$"):
        make(**{"num_classes": 5, "crop_size": 63} | change)


def test_whole_numbers_of_numpy_are_taken():
    expected = an.FourLayer(5, 8, seed=3)
    found = an.FourLayer(np.int64(5), np.uint8(8), seed=np.int32(3))
    np.testing.assert_array_equal(found.weights[0], expected.weights[0])
    assert all(type(value) is int for value in (found.num_classes, found.crop_size, found.seed))
    keras.models.model_from_json(found.to_json(), custom_objects=an.custom_objects())


@pytest.mark.parametrize("spec", ["alexnet", {"name": "alexnet"}, None, an.AlexNetSpec])
def test_what_is_no_description_is_refused_in_a_sentence(spec):
    with pytest.raises(
        an.ConfigError, match=r"^spec: expected one of AlexNetSpec, AlexNetBNSpec, FourLayerSpec, such as"
    ):
        an.build(spec, crop_size=63, num_classes=5)


def test_the_smallest_crops_are_those_that_the_docstrings_name():
    for make, least in ((an.AlexNet, 36), (an.AlexNetBN, 15), (an.FourLayer, 4)):
        assert f"at least {least}." in make.__doc__
        make(5, crop_size=least)
        with pytest.raises(an.ConfigError, match=f"expected at least {least} pixels, got {least - 1}"):
            make(5, crop_size=least - 1)


@ALL
def test_two_networks_go_into_one_model_and_compute_in_the_precision_that_is_asked_for(make):
    one, two = make(5, 63, name="one"), make(5, 63, seed=1, precision="bfloat16", name="two")
    assert [one.name, two.name] == ["one", "two"]
    assert [one.compute_dtype, two.compute_dtype] == ["float32", "bfloat16"]
    inputs = keras.Input((63, 63, 3))
    both = keras.Model(inputs, [one(inputs), two(inputs)])
    assert [each.shape for each in both(images(2)[0])] == [(2, 5), (2, 5)]


def test_an_unknown_profile_is_told_with_the_nearest():
    with pytest.raises(
        an.ConfigError, match="expected one of original, paper, caffe, got 'papper'; did you mean paper"
    ):
        an.AlexNet(profile="papper")
    with pytest.raises(an.ConfigError, match="got 'none'"):
        an.AlexNet(profile="none")
