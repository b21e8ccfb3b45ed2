import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from alexnet_tf.models import networks
from tests.alexnet_tf.models.test_networks import build, draw, random_images
from tests.alexnet_tf.small_training import PAPER_BIAS, alexnet, alexnet_bn, full_alexnet
from tests.reference import lrn as reference_lrn
from tests.reference import towers as reference_towers

STDDEV = [0.01, 0.01, 0.03, 0.03, 0.03, 0.01, 0.01, 0.01]


@pytest.fixture(scope="module")
def full():
    """The network of the paper, all 61 million parameters of it."""
    return networks.build(full_alexnet(weight_stddev=STDDEV), crop_size=224, num_classes=1000)


def test_the_built_network_has_60_965_224_parameters(full):
    assert full.count_params() == 60_965_224


def test_kernel_depths_are_those_of_the_paper(full):
    assert [tuple(conv.kernel.shape) for conv in full.convs] == [
        (11, 11, 3, 96),
        (5, 5, 48, 256),
        (3, 3, 256, 384),
        (3, 3, 192, 384),
        (3, 3, 192, 256),
    ]
    assert full.dense[0].kernel.shape == (9216, 4096)


def test_initial_weights_are_normal_and_not_truncated(full):
    for layer, stddev in zip([*full.convs, *full.dense], STDDEV, strict=True):
        weights = np.ravel(layer.kernel)[:1_000_000] / stddev
        count = len(weights)
        assert abs(weights.mean()) < 5 / count**0.5
        assert weights.std() == pytest.approx(1, abs=5 / (2 * count) ** 0.5)
        assert np.mean(np.abs(weights) > 2) == pytest.approx(0.0455, abs=0.006)  # 0 if cut off at 2σ
        assert np.abs(weights).max() > 3
        assert stats.kstest(weights[:20_000], "norm").pvalue > 0.01


def test_initial_biases_are_exactly_those_of_the_paper(full):
    for layer, bias in zip([*full.convs, *full.dense], PAPER_BIAS, strict=True):
        assert set(np.ravel(layer.bias)) == {bias}


def lrn_towers(maps, spec, towers=2):
    return np.concatenate(
        [
            reference_lrn.local_response_normalization(
                half, k=spec.lrn_k, n=spec.lrn_size, alpha=spec.lrn_alpha, beta=spec.lrn_beta
            )
            for half in np.split(maps, towers, axis=-1)
        ],
        axis=-1,
    )


def relu(maps):
    return np.maximum(maps, 0)


@pytest.mark.parametrize("pooling", [(3, 2), (2, 2)])
@pytest.mark.parametrize("order", ["after_relu", "before_relu"])
def test_layer_1_rectifies_normalizes_and_pools_in_the_order_asked_for(record, order, pooling):
    spec = alexnet(
        lrn_order=order,
        lrn_alpha=0.01,
        lrn_beta=0.6,
        lrn_k=1.5,
        lrn_size=3,
        weight_stddev=[0.1] * 8,
        pooling="overlapping" if pooling == (3, 2) else "paired",
    )
    model = build(spec, crop_size=96)
    record["conv"].clear()
    model(random_images(side=96))
    conv1 = record["conv"][0][1]
    window, stride = pooling
    if order == "after_relu":
        expected = reference_towers.max_pool(lrn_towers(relu(conv1), spec), window=window, stride=stride)
        contrast = relu(reference_towers.max_pool(lrn_towers(conv1, spec), window=window, stride=stride))
    else:
        expected = relu(reference_towers.max_pool(lrn_towers(conv1, spec), window=window, stride=stride))
        contrast = reference_towers.max_pool(lrn_towers(relu(conv1), spec), window=window, stride=stride)
    found = record["conv"][1][0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert np.abs(found - contrast).max() > 1e-2


def test_layer_2_rectifies_normalizes_and_pools_also_when_layer_1_does_not(record):
    spec = alexnet(lrn_order="before_relu", lrn_alpha=0.01, weight_stddev=[0.1] * 8)
    model = build(spec)
    record["conv"].clear()
    model(random_images())
    normal = lrn_towers(relu(record["conv"][1][1]), spec)
    expected = reference_towers.max_pool(normal, window=3, stride=2)
    np.testing.assert_allclose(record["conv"][2][0], expected, rtol=1e-4, atol=1e-5)


def test_the_other_layers_are_rectified_convolutions_with_one_pool_at_the_end(record):
    model = build()
    record["conv"].clear()
    features = model.features(random_images()).numpy()
    for before, after in ((2, 3), (3, 4)):
        np.testing.assert_array_equal(record["conv"][after][0], relu(record["conv"][before][1]))
    pooled = reference_towers.max_pool(relu(record["conv"][4][1]), window=3, stride=2)
    np.testing.assert_array_equal(features, pooled.reshape(2, -1))


def test_hidden_units_are_rectified_and_logits_are_not():
    model = build()
    hidden = model.hidden(model.features(random_images(8)))
    logits = model(random_images(8)).numpy()
    assert np.all(hidden >= 0)
    assert logits.min() < 0 < logits.max()


def test_tanh_replaces_every_rectifier():
    model = build(alexnet(activation="tanh", weight_stddev=[0.1] * 8, bias=[0.0] * 8))
    features = model.features(random_images())
    assert np.abs(features).max() <= 1
    hidden = model.hidden(features)  # halved at test
    assert np.abs(hidden).max() <= 0.5
    assert np.min(hidden) < 0


def test_tanh_is_in_every_convolution(record):
    model = build(alexnet(activation="tanh", lrn=False, weight_stddev=[0.1] * 8, bias=[0.0] * 8))
    record["conv"].clear()
    features = model.features(random_images()).numpy()
    for number, (_, output) in enumerate(record["conv"], start=1):
        seen = np.tanh(output)
        if number in (1, 2, 5):
            seen = reference_towers.max_pool(seen, window=3, stride=2)
        found = features if number == 5 else record["conv"][number][0]
        np.testing.assert_allclose(found, seen.reshape(found.shape), rtol=1e-4, atol=1e-6, err_msg=f"conv{number}")


@pytest.mark.parametrize(("scope", "crosses"), [("tower", False), ("layer", True)])
def test_normalization_stops_at_the_end_of_a_tower(scope, crosses):
    # Channel 47 of 96 is the first tower's last.
    model = build(alexnet(filters=[96, 16, 16, 16, 16], lrn_scope=scope, lrn_alpha=0.1))
    maps = np.random.default_rng(0).uniform(1, 2, (1, 3, 3, 96)).astype(np.float32)
    other = maps.copy()
    other[..., 48] *= 10

    def normalized(values):
        return tf.concat(model._norm(tf.split(values, 2, axis=-1), 0), axis=-1).numpy()

    changed = np.flatnonzero(np.abs(normalized(other) - normalized(maps)).max(axis=(0, 1, 2)))
    assert changed.tolist() == ([46, 47, 48, 49, 50] if crosses else [48, 49, 50])


def test_the_towers_meet_in_conv3_and_nowhere_before():
    model = build()
    maps = [tf.constant(np.random.default_rng(n).normal(size=(1, 7, 7, 4)), tf.float32) for n in (0, 1)]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(maps)
        conv2 = model.convs[1](maps)
        conv3 = model.convs[2](conv2)
        conv4 = model.convs[3](conv3)
    assert tape.gradient(conv2[0], maps[1]) is None
    assert np.any(tape.gradient(conv2[1], maps[1]))
    assert np.any(tape.gradient(conv3[0], maps[1]))
    assert tape.gradient(conv4[0], conv3[1]) is None


def test_the_dense_layers_see_both_towers():
    model = build()
    maps = [tf.constant(np.random.default_rng(n).uniform(1, 2, (1, 3, 3, 8)), tf.float32) for n in (0, 1)]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(maps)
        features = model.flatten(tf.concat([model._max_pool(half) for half in maps], axis=-1))
        first_half = model.dense[0](features)[:, :16]
        logits = model.classify(features)
    for half in maps:
        assert np.any(tape.gradient(first_half, half))
        assert np.any(tape.gradient(logits, half))


def test_dropout_scales_each_hidden_layer_by_half_at_test_and_masks_it_in_training():
    model = build(alexnet(weight_stddev=[0.1] * 8, dense_units=[32, 400]))
    features = model.features(random_images())
    fc6 = 0.5 * relu(model.dense[0](features))
    fc7 = relu(model.dense[1](fc6))
    np.testing.assert_array_equal(model.hidden(features), 0.5 * fc7)
    dropped = model.hidden(features, draw=draw()).numpy()
    assert not np.array_equal(dropped, model.hidden(features, draw=draw(step=1)))
    np.testing.assert_array_equal(dropped, model.hidden(features, draw=draw()))


def test_dropout_of_caffe_doubles_what_it_keeps_and_does_nothing_at_test():
    shared = {"weight_stddev": [0.1] * 8, "bias": [0.0] * 8, "dense_units": [32, 400]}
    caffe, original = (build(alexnet(**shared, dropout_scaling=how)) for how in ("in_training", "at_test"))
    features = caffe.features(random_images())
    np.testing.assert_array_equal(caffe.hidden(features), relu(caffe.dense[1](relu(caffe.dense[0](features)))))
    # Without biases the layers are homogeneous: the same masks, and twice the size after either of them.
    dropped = original.hidden(features, draw=draw()).numpy()
    assert 0.5 < np.mean(dropped == 0) < 0.95
    np.testing.assert_array_equal(caffe.hidden(features, draw=draw()), 4 * dropped)


def test_without_training_a_draw_is_ignored():
    for spec in (alexnet(weight_stddev=[0.1] * 8), alexnet_bn()):
        model = build(spec)
        np.testing.assert_array_equal(
            model(random_images(), training=False, draw=draw()), model(random_images(), training=False)
        )


def test_same_map_normalization_comes_between_norm2_and_pool2(record):
    spec = alexnet(weight_stddev=[0.1] * 8, same_map_normalization=True)
    model = build(spec)
    record["conv"].clear()
    model(random_images())
    found = record["conv"][2][0]
    normal = lrn_towers(relu(record["conv"][1][1]), spec)
    expected = reference_towers.max_pool(reference_lrn.same_map_normalization(normal), window=3, stride=2)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert np.abs(found - reference_towers.max_pool(normal, window=3, stride=2)).max() > 1e-2


def test_without_lrn_nothing_is_normalized_and_the_order_of_layer_1_does_not_matter(record):
    off = alexnet(weight_stddev=[0.1] * 8, lrn=False)
    expected = build(off)(random_images())
    for changes in ({"lrn_order": "before_relu"}, {"same_map_normalization": True}):
        other = off.model_copy(update=changes)
        np.testing.assert_array_equal(build(other)(random_images()), expected)
    # layers-148.cfg: a convolution, its ReLU and a pool, nothing else.
    model = build(off)
    record["conv"].clear()
    model(random_images())
    pooled = reference_towers.max_pool(relu(record["conv"][1][1]), window=3, stride=2)
    np.testing.assert_array_equal(record["conv"][2][0], pooled)
