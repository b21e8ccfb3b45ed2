import keras
import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf.errors import ConfigError
from alexnet_tf.models import networks
from alexnet_tf.models.layer_table import layer_table
from alexnet_tf.random_streams import RandomStreams
from tests.alexnet_tf.small_training import alexnet, alexnet_bn, four_layer


def build(spec=None, crop_size=63, **options):
    spec = spec or alexnet(weight_stddev=[0.1] * 8)
    return networks.build(spec, crop_size=crop_size, num_classes=10, **options)


def random_images(count=2, side=63):
    return tf.constant(np.random.default_rng(0).normal(0, 60, (count, side, side, 3)), tf.float32)


def draw(step=0, count=2):
    return RandomStreams(tf.constant([1, step]), tf.range(count), count)


@pytest.mark.parametrize(
    ("spec", "crop_size"),
    [
        (alexnet(), 63),
        (alexnet(towers=1, lrn=False), 71),
        (alexnet(pooling="paired", lrn_scope="layer"), 96),
        (alexnet(left_out="conv3"), 63),
        (alexnet(left_out="conv4", pooling="paired"), 96),
        (alexnet(left_out="conv5", filters=[8, 16, 16, 24, 16]), 112),
        (alexnet(filters=[96, 256, 384, 384, 256]), 224),
        (alexnet_bn(), 32),
        (alexnet_bn(), 56),
        (alexnet_bn(), 72),
        (alexnet_bn(pools=[1, 2, 2, 1, 2], pool_order="after_norm", batch_norm_scale=True), 47),
        (alexnet_bn(conv1="whitening", kernel_sizes=[2, 3, 3, 3, 3], pools=[1, 2, 2, 1, 2]), 32),
        (alexnet_bn(conv1_stride=3, kernel_sizes=[7, 5, 3, 3, 3], pools=[1, 2, 1, 1, 3]), 96),
    ],
)
def test_the_layer_table_describes_the_network_that_is_built(record, spec, crop_size):
    model = build(spec, crop_size=crop_size)
    rows = {row.name: row for row in layer_table(spec, crop_size, 10)}
    norms = model.norms if spec.name == "alexnet_bn" else []
    for layer in [*model.convs, *norms, *model.dense]:
        assert layer.count_params() == rows[layer.name].parameters
        assert sum(int(np.prod(each.shape)) for each in layer.non_trainable_weights) == rows[layer.name].untrained
    convs = [output.shape[1:] for _, output in record["conv"]]
    assert convs == [row.output_shape for row in rows.values() if row.name.startswith("conv")]
    towers = getattr(spec, "towers", 1)
    pools = [output.shape[1:3] for _, output in record["pool"]][::towers]
    assert pools == [row.output_shape[:2] for row in rows.values() if row.name.startswith("pool")]
    assert sum(row.parameters for row in rows.values()) == model.count_params()


@pytest.mark.parametrize("spec", [alexnet(), alexnet_bn()])
def test_initial_weights_depend_on_the_seed_and_not_on_the_strategy(two_replicas, spec):
    alone = build(spec, seed=5)
    with two_replicas.scope():
        mirrored = build(spec, seed=5)
    for one, two in zip(alone.weights, mirrored.weights, strict=True):
        for replica in two_replicas.experimental_local_results(two.value):
            np.testing.assert_array_equal(one, replica)
    other = build(spec, seed=6)
    assert not np.array_equal(alone.convs[0].kernel, other.convs[0].kernel)
    assert not np.array_equal(np.ravel(alone.convs[3].kernel), np.ravel(alone.convs[2].kernel))


@pytest.mark.parametrize("left_out", ["conv3", "conv4", "conv5"])
def test_the_layers_that_stay_start_as_those_of_the_whole_network(left_out):
    widths = {"filters": [8, 16, 12, 12, 12]}
    whole, lacking = (build(alexnet(**widths, **kind), seed=5) for kind in ({}, {"left_out": left_out}))
    before = {variable.path: variable.numpy() for variable in whole.weights}
    after = {variable.path: variable.numpy() for variable in lacking.weights}
    assert {path.split("/")[1] for path in before.keys() - after.keys()} == {left_out}
    for path, found in after.items():
        if left_out == "conv3" and path.endswith("conv4/kernel"):
            assert found.shape == (3, 3, 8, 12)  # half of conv2's maps in place of half of conv3's
            assert np.ptp(found) > 0
        else:
            np.testing.assert_array_equal(found, before[path], err_msg=path)


@pytest.mark.parametrize("precision", ["auto", "mixed_bfloat16", "float16"])
def test_another_precision_is_refused_and_not_taken_for_float32(precision):
    with pytest.raises(ConfigError, match=f"precision: expected float32 or bfloat16, got '{precision}'"):
        build(alexnet(), precision=precision)


def test_another_backend_of_keras_is_told_with_the_way_out(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(ConfigError, match="backend torch; the networks need tensorflow: set KERAS_BACKEND=tensorflow"):
        build(alexnet())


@pytest.mark.parametrize("spec", [alexnet(weight_stddev=[0.1] * 8), alexnet_bn(), four_layer()])
def test_maps_come_last_whatever_keras_is_set_to(spec):
    expected = build(spec)
    keras.config.set_image_data_format("channels_first")
    try:
        found = build(spec)
        assert [variable.shape for variable in found.weights] == [variable.shape for variable in expected.weights]
        np.testing.assert_array_equal(found(random_images()), expected(random_images()))
    finally:
        keras.config.set_image_data_format("channels_last")


@pytest.mark.parametrize("spec", [alexnet(weight_stddev=[0.1] * 8), alexnet_bn(), four_layer()])
def test_bfloat16_keeps_weights_and_logits_in_float32(spec):
    exact, short = build(spec), build(spec, precision="bfloat16")
    assert {variable.dtype for variable in short.weights} == {"float32"}
    difference = np.abs(short(random_images()) - exact(random_images())).max()
    # Eight bits of mantissa through eight layers.
    assert 0 < difference < 0.1 * np.abs(exact(random_images())).max()
    assert short(random_images(), training=True, draw=draw()).dtype == tf.float32


@pytest.mark.parametrize("spec", [alexnet(weight_stddev=[0.1] * 8), alexnet_bn(logit_scale=1.0), four_layer()])
def test_logits_above_bfloat16_layers_are_not_rounded_so_that_classes_do_not_tie(spec):
    logits = build(spec, precision="bfloat16")(random_images())
    rounded = tf.cast(tf.cast(logits, tf.bfloat16), tf.float32)
    assert np.mean(logits != rounded) > 0.9


@pytest.mark.parametrize("spec", [alexnet(), alexnet_bn(), four_layer()])
def test_a_network_is_remade_from_its_configuration(spec):
    model = build(spec)
    again = type(model).from_config(model.get_config())
    assert again.spec == spec
    again(random_images())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again(random_images()), model(random_images()))
