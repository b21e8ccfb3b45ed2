import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from lean import LEAN

import alexnet_tf as an
from alexnet_tf.models.weights import model_arrays
from tests.alexnet_tf.small_networks import small, small_bn, striped_images


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
    logits = make()(striped_images()[0]).numpy()
    assert logits.shape == (16, 5)
    assert logits.dtype == np.float32
    assert len(np.unique(logits)) > 16


def test_a_keras_file_loads_in_a_fresh_process(tmp_path, root):
    """As the stage export writes it, with nothing but the import of the package."""
    from alexnet_tf.export.keras_file import save_keras

    x = striped_images(2)[0]
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
    assert [each.shape for each in both(striped_images(2)[0])] == [(2, 5), (2, 5)]


def test_an_unknown_profile_is_told_with_the_nearest():
    with pytest.raises(
        an.ConfigError, match="expected one of original, paper, caffe, got 'papper'; did you mean paper"
    ):
        an.AlexNet(profile="papper")
    with pytest.raises(an.ConfigError, match="got 'none'"):
        an.AlexNet(profile="none")
