import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import alexnet_tf as an
from alexnet_tf.models import networks
from alexnet_tf.models.features import Features
from tests.alexnet_tf.small_training import alexnet, alexnet_bn, four_layer

SPECS = [alexnet(weight_stddev=[0.1] * 8), alexnet_bn(), four_layer()]
SIDE = 63
named = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)


def build(spec, **options):
    return networks.build(spec, crop_size=SIDE, num_classes=5, **{"seed": 4} | options)


def pixels(*shape):
    return np.random.default_rng(0).normal(0, 30, shape).astype(np.float32)


def ways_to_ask(model):
    """What takes images: the network, its features in both forms, Keras' own loops, a graph."""
    features = Features(model)
    return (
        model,
        model.features,
        features,
        lambda images: model.predict(images, verbose=0),
        tf.function(lambda images: model(images), autograph=False),
        keras.Sequential([features, keras.layers.Dense(2)]),
    )


@named
def test_images_of_another_shape_are_refused_in_a_sentence(spec):
    """TensorFlow ends the process at some of them."""
    model = build(spec)
    for shape, way_out in (
        ((SIDE, SIDE, 3), r"one image needs images\[None\]"),
        ((2, 3, 3, 3), "ImageClassifier.inputs makes"),
        ((2, SIDE + 1, SIDE, 3), "ImageClassifier.inputs makes"),
        ((2, SIDE, SIDE, 1), "ImageClassifier.inputs makes"),
    ):
        sentence = rf"^the network takes images of shape \(N, 63, 63, 3\), RGB, got \({shape[0]}, .*; {way_out}"
        for ask in ways_to_ask(model)[:3]:
            with pytest.raises(an.DataError, match=sentence):
                ask(pixels(*shape))
    with pytest.raises(an.DataError, match=r"one image needs images\[None\]"):
        ways_to_ask(model)[4](pixels(SIDE, SIDE, 3))


@named
def test_pixels_as_they_are_stored_are_refused_and_not_answered_with_nonsense(spec):
    model = build(spec)
    stored = np.zeros((2, SIDE, SIDE, 3), np.uint8)
    for ask in ways_to_ask(model)[:5]:
        with pytest.raises(an.DataError, match=r"takes float32 images, minus the mean .*, got uint8; .*prepares them"):
            ask(stored)


@named
def test_images_as_the_network_takes_them_are_taken_every_way(spec):
    model, images = build(spec), pixels(2, SIDE, SIDE, 3)
    expected = model(images)
    for same in (tf.constant(images), images.astype(np.float64)):
        np.testing.assert_array_equal(model(same), expected)
    for ask in ways_to_ask(model):
        assert len(ask(images)) == 2
    inputs = keras.Input((SIDE, SIDE, 3))
    np.testing.assert_allclose(keras.Model(inputs, model(inputs))(images), expected, rtol=1e-5)


def remade(model):
    """The network from its configuration, by Keras' three ways."""
    objects = an.custom_objects()
    yield keras.models.clone_model(model)
    yield type(model).from_config(json.loads(json.dumps(model.get_config())))
    yield keras.models.model_from_json(model.to_json(), custom_objects=objects)


@named
def test_a_network_from_its_configuration_has_the_kernels_of_its_seed(spec):
    model = build(spec)
    for again in remade(model):
        assert again.seed == 4
        for found, expected in zip(again.weights, model.weights, strict=True):
            np.testing.assert_array_equal(found, expected, err_msg=expected.path)
    head = keras.Sequential([Features(model), keras.layers.Dense(2)])
    head(pixels(2, SIDE, SIDE, 3))
    again = keras.models.clone_model(head).layers[0].network
    for found, expected in zip(again.weights, model.weights, strict=True):
        np.testing.assert_array_equal(found, expected, err_msg=expected.path)


def test_a_configuration_of_before_has_no_seed():
    model = build(four_layer(), seed=0)
    assert "seed" not in model.get_config()  # exports keep their bytes
    again = type(model).from_config(model.get_config())
    np.testing.assert_array_equal(again.weights[0], model.weights[0])


@named
def test_layers_cannot_be_replaced_in_place_where_keras_would_not_notice(spec):
    model = build(spec)
    for layers in (model.convs, model.norms, getattr(model, "dense", ()), getattr(model, "locals", ())):
        assert isinstance(layers, tuple)


def stored_and_loaded(model, folder):
    model.save(folder / "model.keras")
    return keras.saving.load_model(folder / "model.keras", custom_objects=an.custom_objects())


def trainable(model):
    return [variable.path.split("/", 1)[1] for variable in model.trainable_variables]


@named
def test_frozen_layers_are_frozen_in_a_file_too(spec, tmp_path):
    model = build(spec)
    assert "frozen" not in model.get_config()
    for layer in model.layers[:2]:
        layer.trainable = False
    assert "conv1/kernel" not in trainable(model)
    for again in (stored_and_loaded(model, tmp_path), *remade(model)):
        assert trainable(again) == trainable(model)
    head = keras.Sequential([keras.Input((SIDE, SIDE, 3)), Features(model), keras.layers.Dense(2)])
    assert len(stored_and_loaded(head, tmp_path).trainable_variables) == len(head.trainable_variables)


def test_a_network_that_is_frozen_as_a_whole_comes_back_with_its_statistics_frozen(tmp_path):
    model = build(alexnet_bn())
    model.trainable = False
    again = stored_and_loaded(model, tmp_path)
    before = [variable.numpy() for variable in again.weights]
    again(pixels(4, SIDE, SIDE, 3), training=True)
    for found, expected in zip(again.weights, before, strict=True):
        np.testing.assert_array_equal(found, expected, err_msg=found.path)
    again.trainable = True
    assert trainable(again) == trainable(build(alexnet_bn()))


def test_whitening_kernels_stay_untrained_when_the_network_is_unfrozen(tmp_path):
    model = build(alexnet_bn(conv1="whitening", filters=[12, 8, 8, 8, 8], kernel_sizes=[2, 3, 3, 3, 3]))
    expected = trainable(model)
    assert "conv1/kernel" not in expected
    head = keras.Sequential([model])
    for switched in (model, head, *model.layers):
        switched.trainable = False
        switched.trainable = True
        assert trainable(model) == expected
    assert trainable(stored_and_loaded(model, tmp_path)) == expected


def shapes(tensors):
    return [tuple(each.shape) for each in tensors] if isinstance(tensors, list) else tuple(tensors.shape)


@named
def test_layers_say_the_shapes_that_they_make(spec):
    model, seen = build(spec), []
    for layer in model.layers:

        def watched(inputs, *, layer=layer, inner=layer.call, **options):
            outputs = inner(inputs, **options)
            seen.append((layer, shapes(inputs), shapes(outputs)))
            return outputs

        layer.call = watched
    model(pixels(2, SIDE, SIDE, 3))
    assert {layer.name for layer, _, _ in seen} == {layer.name for layer in model.layers}
    for layer, before, after in seen:
        assert layer.compute_output_shape(before) == after, layer.name
    lines = []
    model.summary(print_fn=lines.append)
    assert "?" not in str(lines)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@named
def test_a_network_says_the_shape_and_the_type_of_its_logits(spec, precision):
    model = build(spec, precision=precision)
    assert (model.input_shape, model.output_shape) == ((None, SIDE, SIDE, 3), (None, 5))
    symbol = model(keras.Input((SIDE, SIDE, 3)))
    assert (symbol.shape, symbol.dtype) == ((None, 5), model(pixels(2, SIDE, SIDE, 3)).dtype)
    assert keras.Sequential([model, keras.layers.Softmax()]).built
