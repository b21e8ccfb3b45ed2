import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError

from alexnet_tf.models import networks
from alexnet_tf.models.layer_table import layer_table
from pipeline.environment.yaml_file import read
from tests.alexnet_tf.small_training import four_layer
from tests.reference import local as reference_local
from tests.reference import lrn as reference_lrn
from tests.reference import towers as reference_towers

STDDEV = [0.0001, 0.01, 0.04, 0.04, 0.01]  # layers-conv-local-11pct.cfg: initW


def full(**changes):
    """The network with cuda-convnet's numbers of kernels."""
    return four_layer(**{"filters": [64, 64], "local_filters": [32, 32], "weight_stddev": STDDEV} | changes)


def build(spec=None, crop_size=24, **options):
    return networks.build(spec or four_layer(), crop_size=crop_size, num_classes=10, **options)


def random_images(count=3, side=24):
    return tf.constant(np.random.default_rng(0).normal(0, 1, (count, side, side, 3)), tf.float32)


def test_the_network_of_cuda_convnet_has_1_116_490_parameters():
    rows = layer_table(full(), 24, 10)
    assert {row.name: row.parameters for row in rows if row.parameters} == {
        "conv1": 5 * 5 * 3 * 64 + 64,
        "conv2": 5 * 5 * 64 * 64 + 64,
        "local3": 6 * 6 * (3 * 3 * 64 * 32 + 32),
        "local4": 6 * 6 * (3 * 3 * 32 * 32 + 32),
        "fc10": 6 * 6 * 32 * 10 + 10,
    }
    assert sum(row.parameters for row in rows) == 1_116_490
    # 24²·75·64 + 12²·1600·64 + 36·576·32 + 36·288·32 + 1152·10
    assert sum(row.multiply_adds for row in rows) == 2_764_800 + 14_745_600 + 663_552 + 331_776 + 11_520


@pytest.mark.parametrize(("order", "side"), [("before_pool", 24), ("after_pool", 12)])
def test_24_pixels_become_12_and_6(order, side):
    found = {row.name: row.output_shape for row in layer_table(full(lrn_order=order), 24, 10)}
    assert found == {
        "conv1": (24, 24, 64),
        "norm1": (side, side, 64),
        "pool1": (12, 12, 64),
        "conv2": (12, 12, 64),
        "norm2": (12, 12, 64),
        "pool2": (6, 6, 64),
        "local3": (6, 6, 32),
        "local4": (6, 6, 32),
        "fc10": (10,),
    }
    first = ["conv1", "norm1", "pool1"] if order == "before_pool" else ["conv1", "pool1", "norm1"]
    assert list(found)[:3] == first


@pytest.mark.parametrize("crop_size", [24, 27, 32])
def test_the_layer_table_describes_the_network_that_is_built(crop_size):
    spec = four_layer(filters=[4, 6])
    model = build(spec, crop_size)
    rows = {row.name: row for row in layer_table(spec, crop_size, 10)}
    for layer in [*model.convs, *model.locals, model.classifier]:
        assert layer.count_params() == rows[layer.name].parameters
    assert model.features(random_images(1, crop_size)).shape[1:] == rows["pool2"].output_shape
    assert model.hidden(model.features(random_images(1, crop_size))).shape[1] == np.prod(rows["local4"].output_shape)
    assert model.count_params() == sum(row.parameters for row in rows.values())


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("norm", ["none", "before_pool", "after_pool"])
@pytest.mark.parametrize("crop_size", [24, 27])
def test_it_is_made_of_plain_parts(activation, norm, crop_size):
    lrn = {"lrn": False} if norm == "none" else {"lrn_order": norm}
    spec = four_layer(activation=activation, lrn_alpha=0.3, weight_stddev=[0.3] * 5, **lrn)
    model = build(spec, crop_size)
    for index, layer in enumerate([*model.convs, *model.locals, model.classifier]):
        layer.bias.assign(np.random.default_rng(index).normal(0, 0.3, layer.bias.shape))

    def activated(x):
        return np.maximum(x, 0) if activation == "relu" else np.tanh(x)

    def normalized(x):
        return reference_lrn.local_response_normalization(x, k=1.0, n=5, alpha=0.3, beta=0.75) if spec.lrn else x

    def pooled(x):
        return reference_towers.max_pool(x, window=3, stride=2)

    x = random_images(2, crop_size).numpy()
    for number, conv in enumerate(model.convs, start=1):
        kernel, bias = (variable.numpy() for variable in conv.weights)
        x = activated(reference_towers.convolve(x, kernel, bias, stride=1, padding=(2, 2)))
        x = normalized(pooled(x)) if number == 1 and norm == "after_pool" else pooled(normalized(x))
    for local in model.locals:
        kernel, bias = (variable.numpy() for variable in local.weights)
        kernels = kernel.reshape(*kernel.shape[:2], 3, 3, -1, kernel.shape[-1])
        x = activated(reference_local.locally_connected(x, kernels, bias))
    hidden = x.reshape(2, -1)
    kernel, bias = (variable.numpy() for variable in model.classifier.weights)
    np.testing.assert_allclose(model.hidden(model.features(random_images(2, crop_size))), hidden, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(model(random_images(2, crop_size)), hidden @ kernel + bias, rtol=1e-3, atol=1e-3)


def test_without_lrn_its_constants_do_not_matter():
    off = four_layer(lrn=False)
    expected = build(off)(random_images())
    other = four_layer(lrn=False, lrn_alpha=5.0, lrn_size=9, lrn_k=3.0, lrn_order="after_pool")
    np.testing.assert_array_equal(build(other)(random_images()), expected)
    assert "norm1" not in [layer.name for layer in build(off).layers]
    assert not np.allclose(build(four_layer(lrn_alpha=5.0))(random_images()), expected)


def test_the_experiment_compares_networks_that_differ_by_lrn_alone(root):
    variants = read(root / "experiments/lrn_cifar10.yaml")["variants"]
    one, other = variants["with_lrn"], variants["without_lrn"]
    assert not other["network"]["lrn"]
    other["network"]["lrn"] = True
    for part in ("images", "input", "network", "training"):
        assert one[part] == other[part]
    # layers-conv-local-11pct.cfg: size = 5, scale = 1e-3 (divided by size), pow = 0.75; k = 1
    network = {name: value for name, value in one["network"].items() if name.startswith("lrn_")}
    assert network == {"lrn_alpha": 2e-4, "lrn_beta": 0.75, "lrn_k": 1.0, "lrn_size": 5, "lrn_order": "before_pool"}
    # layer-params-conv-local-11pct.cfg: epsW = 0.001, epsB = 0.002, wc = 0.004 but in the convolutions
    optimizer = one["training"]["optimizer"]
    assert (optimizer["learning_rate"], optimizer["bias_learning_rate_factor"]) == (0.001, 2.0)
    assert (optimizer["weight_decay"], optimizer["convolution_decay"]) == (0.004, False)


@pytest.mark.parametrize("compiled", [False, True])
def test_in_bfloat16_the_gradients_of_its_biases_add_up_as_in_float32(compiled):
    model = build(precision="bfloat16")
    for conv in model.convs:
        maps = [tf.zeros((16, 24, 24, conv.kernel.shape[2]), tf.bfloat16)]
        drawn = np.random.default_rng(0).normal(0.1, 1.0, (16, 24, 24, conv.filters))
        upstream = tf.constant(drawn, tf.bfloat16)  # sums of some 900

        def of_bias(conv=conv, maps=maps, upstream=upstream):
            with tf.GradientTape() as tape:
                outputs = conv(maps)
            return tape.gradient(outputs, conv.bias.value, output_gradients=[upstream])

        found = (tf.function(of_bias) if compiled else of_bias)()
        np.testing.assert_allclose(found, tf.cast(upstream, tf.float32).numpy().sum((0, 1, 2)), rtol=2**-8)


def test_initial_weights_have_the_deviation_of_their_layer_and_biases_are_zero():
    model = build(full(), seed=1)
    for layer, stddev in zip([*model.convs, *model.locals, model.classifier], STDDEV, strict=True):
        weights = np.ravel(layer.kernel) / stddev
        count = len(weights)
        assert abs(weights.mean()) < 5 / count**0.5, layer.name
        assert weights.std() == pytest.approx(1, abs=5 / (2 * count) ** 0.5), layer.name
        assert np.all(layer.bias.numpy() == 0), layer.name
    other = build(full(), seed=2)
    assert not np.array_equal(model.locals[0].kernel, other.locals[0].kernel)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lrn_size": 4}, "lrn_size must be odd, got 4"),
        ({"weight_stddev": [0.1, 0.1, 0.1, 0.0, 0.1]}, "greater than 0"),
        ({"weight_stddev": [0.1] * 8}, "at most 5 items"),
        ({"local_filters": [32]}, "at least 2 items"),
        ({"activation": "gelu"}, "'relu' or 'tanh'"),
        ({"dropout": 0.5}, "Extra inputs are not permitted"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        four_layer(**changes)
