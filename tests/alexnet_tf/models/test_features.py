import keras
import numpy as np
import pytest

import alexnet_tf as an
from alexnet_tf.models.features import Features
from tests.alexnet_tf.small_networks import classifier_of_six

pytestmark = pytest.mark.usefixtures("seeded")


@pytest.fixture
def images():
    """Two kinds of images, (24, 32, 32, 3) float32, and which is which."""
    labels = np.arange(24) % 2
    noise = np.random.default_rng(0).normal(0, 0.1, (24, 32, 32, 3))
    return np.float32(noise + np.where(labels, 1.0, -1.0)[:, None, None, None]), labels


def with_new_head(features):
    model = keras.Sequential([features, keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.1), loss, metrics=["accuracy"])
    return model


def test_features_are_the_last_hidden_layer():
    for network in (an.AlexNet(5, 63), classifier_of_six(faithful=False).model, an.FourLayer(5)):
        features, side = Features(network), network.crop_size
        pixels = np.random.default_rng(1).normal(size=(3, side, side, 3)).astype("float32")
        found = features(pixels)
        assert found.shape == (3, *features.compute_output_shape((None, side, side, 3))[1:])
        kernel, *bias = [each for each in network.weights if "fc8" in each.path or "fc10" in each.path]
        logits = found.numpy() @ kernel.numpy() + (bias[0].numpy() if bias else 0)
        scale = getattr(network.spec, "logit_scale", 1.0)
        np.testing.assert_allclose(scale * logits, network(pixels), rtol=1e-4, atol=1e-5)


def test_a_new_layer_learns_on_frozen_features(images):
    network = classifier_of_six(faithful=False).model
    before = [each.numpy() for each in network.weights]
    features = Features(network)
    features.trainable = False
    model = with_new_head(features)
    history = model.fit(*images, batch_size=8, epochs=16, verbose=0).history
    assert history["accuracy"][-1] == 1.0
    for old, new in zip(before, network.weights, strict=True):
        np.testing.assert_array_equal(old, new.numpy())  # the moving statistics among them


def test_a_frozen_network_stays_as_it_is_in_a_model_of_another(images):
    network = classifier_of_six(faithful=False).model
    before = [each.numpy() for each in network.weights]
    network.trainable = False
    with_new_head(network).fit(*images, batch_size=8, epochs=2, verbose=0)
    for old, new in zip(before, network.weights, strict=True):
        np.testing.assert_array_equal(old, new.numpy(), err_msg=new.path)  # the moving statistics among them


def test_features_are_the_same_whatever_the_policy_of_keras():
    network = classifier_of_six(faithful=False).model
    pixels = np.random.default_rng(1).normal(size=(3, 32, 32, 3)).astype("float32")
    expected = Features(network)(pixels)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        np.testing.assert_array_equal(Features(network)(pixels), expected)
    finally:
        keras.config.set_dtype_policy("float32")


def test_a_saved_model_with_a_new_layer_comes_back_frozen_as_it_was(images, tmp_path):
    features = Features(classifier_of_six(faithful=False).model)
    features.trainable = False
    model = with_new_head(features)
    model.fit(*images, epochs=1, verbose=0)
    model.save(tmp_path / "mine.keras")
    loaded = keras.saving.load_model(tmp_path / "mine.keras", custom_objects=an.custom_objects())
    np.testing.assert_array_equal(loaded.predict(images[0], verbose=0), model.predict(images[0], verbose=0))
    assert len(loaded.trainable_variables) == 2


def networks():
    return classifier_of_six(faithful=True).model, classifier_of_six(faithful=False).model, an.FourLayer(6)


def test_features_have_and_count_all_but_the_last_layer():
    for network in networks():
        features, last = an.Features(network), network.layers[-1]
        assert last.name == ("fc10" if network.name == "four_layer" else "fc8")
        assert features.layers == network.layers[:-1]
        assert features.get_layer("conv2") is network.get_layer("conv2")
        assert features.count_params() == network.count_params() - last.count_params()
        paths = [variable.path for variable in network.weights if last.name not in variable.path]
        assert [variable.path for variable in features.weights] == paths
        lines = []
        features.summary(print_fn=lines.append)
        assert f"Total params: {features.count_params():,} " in str(lines)


def test_a_layer_on_top_makes_a_model_that_is_built_and_trains_every_variable(images):
    model = with_new_head(an.Features(classifier_of_six(faithful=False).model))
    assert (model.built, model.input_shape, model.output_shape) == (True, (None, 32, 32, 3), (None, 2))
    before = [each.numpy() for each in model.trainable_variables]
    model.fit(*images, epochs=1, verbose=0)  # Keras warns of variables without gradients, and warnings are errors here
    for old, new in zip(before, model.trainable_variables, strict=True):
        assert np.any(old != new.numpy()), new.path


def test_what_is_no_network_has_no_features():
    for wrong in (keras.Sequential(), "cifar10", None):
        with pytest.raises(an.ConfigError, match=rf"^network: expected a network as .*, got {type(wrong).__name__}$"):
            an.Features(wrong)
