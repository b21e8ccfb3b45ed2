import math

import pytest

from alexnet_tf.models.layer_table import layer_table
from alexnet_tf.models.specs import LAYER_NAMES, InputSpec
from tests.alexnet_tf.small_training import alexnet, alexnet_bn, full_alexnet


def totals(network, crop_size=224, num_classes=1000):
    rows = layer_table(network, crop_size, num_classes)
    return sum(row.parameters for row in rows), sum(row.multiply_adds for row in rows)


def shapes(network, crop_size=224):
    return {row.name: row.output_shape for row in layer_table(network, crop_size, 1000)}


def test_the_paper_network_has_60_965_224_parameters_and_724_million_multiply_adds():
    parameters, multiply_adds = totals(full_alexnet())
    assert parameters == 60_965_224
    assert multiply_adds == pytest.approx(724.4e6, abs=0.05e6)


def test_without_towers_it_has_62_378_344_parameters():
    parameters, multiply_adds = totals(full_alexnet(towers=1))
    assert parameters == 62_378_344
    assert multiply_adds == pytest.approx(1135.3e6, abs=0.05e6)


def test_the_half_net_has_59_798_312_parameters():
    # One tower; the last convolution and the dense layers keep their width (§3.2, layers-145-half.cfg).
    assert totals(full_alexnet(towers=1, filters=[48, 128, 192, 192, 256]))[0] == 59_798_312


@pytest.mark.parametrize(
    ("left_out", "parameters"),
    [
        ("conv3", 60_965_224 - 885_120 - 3 * 3 * (192 - 128) * 384),  # conv4 sees the 128 maps of its tower of conv2
        ("conv4", 60_965_224 - 663_936),
        ("conv5", 60_965_224 - 442_624 + 6 * 6 * (384 - 256) * 4096),  # fc6 sees the 384 maps of conv4
    ],
)
def test_without_a_middle_layer_the_next_sees_the_one_before(left_out, parameters):
    assert totals(full_alexnet(left_out=left_out))[0] == parameters
    whole, found = shapes(full_alexnet()), shapes(full_alexnet(left_out=left_out))
    assert whole.keys() - found.keys() == {left_out}
    assert found["pool5"] == ((6, 6, 384) if left_out == "conv5" else (6, 6, 256))
    assert all(found[name] == whole[name] for name in found if name != "pool5")


def test_ten_classes_leave_56_909_194_parameters():
    assert totals(full_alexnet(), num_classes=10)[0] == 56_909_194


def test_parameters_of_each_layer():
    rows = {row.name: row.parameters for row in layer_table(full_alexnet(), 224, 1000)}
    assert {name: count for name, count in rows.items() if count} == {
        "conv1": 34_944,  # 11·11·3·96 + 96
        "conv2": 307_456,  # 5·5·48·256 + 256
        "conv3": 885_120,  # 3·3·256·384 + 384
        "conv4": 663_936,  # 3·3·192·384 + 384
        "conv5": 442_624,  # 3·3·192·256 + 256
        "fc6": 37_752_832,  # 9216·4096 + 4096
        "fc7": 16_781_312,
        "fc8": 4_097_000,
    }


def test_figure_2_shapes():
    assert shapes(full_alexnet()) == {
        "conv1": (55, 55, 96),
        "norm1": (55, 55, 96),
        "pool1": (27, 27, 96),
        "conv2": (27, 27, 256),
        "norm2": (27, 27, 256),
        "pool2": (13, 13, 256),
        "conv3": (13, 13, 384),
        "conv4": (13, 13, 384),
        "conv5": (13, 13, 256),
        "pool5": (6, 6, 256),
        "fc6": (4096,),
        "fc7": (4096,),
        "fc8": (1000,),
    }


def test_paired_pooling_keeps_6_x_6_x_256():
    found = shapes(full_alexnet(pooling="paired"))
    assert (found["pool1"][0], found["pool2"][0], found["pool5"]) == (28, 13, (6, 6, 256))
    assert totals(full_alexnet(pooling="paired"))[0] == 60_965_224


def test_conv1_has_290_400_neurons_and_not_the_253_440_of_the_text():
    # Erratum: the caption of figure 2 has 253,440 = 55·48·96 where 55·55·96 belongs; its other numbers are right.
    assert 3 * InputSpec().crop_size ** 2 == 150_528
    found = shapes(full_alexnet())
    sides = [found[f"conv{number}"] for number in range(1, 6)]
    assert [height * width * maps for height, width, maps in sides] == [
        290_400,
        186_624,
        64_896,
        64_896,
        43_264,
    ]


def test_the_whole_network_has_659_272_neurons():
    found = shapes(full_alexnet())
    counts = [math.prod(found[name]) for name in LAYER_NAMES]
    assert sum(counts) == 659_272  # the abstract says 650,000


def test_two_middle_layers_hold_more_than_one_percent_of_the_parameters():
    # Erratum: §1 says that each convolution holds no more than 1 %.
    rows = layer_table(full_alexnet(), 224, 1000)
    shares = {row.name: row.parameters / 60_965_224 for row in rows if row.name.startswith("conv")}
    assert {name for name, share in shares.items() if share > 0.01} == {"conv3", "conv4"}


def test_the_optimized_network_counts_its_batch_normalization():
    rows = {row.name: row.parameters for row in layer_table(alexnet_bn(batch_norm_scale=True), 32, 10)}
    assert rows == {
        "conv1": 9 * 3 * 4,
        "pool1": 0,
        "norm1": 16,  # γ, β, running mean and variance of 4 maps
        "conv2": 9 * 4 * 8,
        "pool2": 0,
        "norm2": 32,
        "conv3": 9 * 8 * 8,
        "norm3": 32,
        "conv4": 9 * 8 * 8,
        "norm4": 32,
        "conv5": 9 * 8 * 8,
        "pool5": 0,
        "norm5": 32,
        "fc6": 4 * 4 * 8 * 16,
        "norm6": 64,
        "fc7": 16 * 16,
        "norm7": 64,
        "fc8": 16 * 10,
    }
    plain = {row.name: row.parameters for row in layer_table(alexnet_bn(), 32, 10)}
    assert (plain["norm2"], plain["norm7"]) == (24, 48)  # no γ


def test_the_optimized_network_for_cifar_10_takes_105_million_multiply_adds():
    network = alexnet_bn(
        filters=[24, 64, 256, 256, 256],
        kernel_sizes=[2, 3, 3, 3, 3],
        conv1="whitening",
        pools=[1, 2, 2, 1, 2],
        dense_units=[256, 256],
    )
    rows = layer_table(network, 32, 10)
    # By hand: 31²·12·24 + 31²·9·24·64 + 15²·9·64·256 + 2·7²·9·256² + 2304·256 + 256² + 2560.
    assert sum(row.multiply_adds for row in rows) == 276_768 + 13_284_864 + 33_177_600 + 57_802_752 + 657_920
    assert [row.output_shape for row in rows if row.name.startswith("pool")] == [(15, 15, 64), (7, 7, 256), (3, 3, 256)]
    assert "norm1" not in [row.name for row in rows]


@pytest.mark.parametrize(("network", "crop_size"), [(alexnet(), 10), (alexnet(), 30), (alexnet_bn(), 7)])
def test_a_crop_that_is_too_small_is_refused(network, crop_size):
    with pytest.raises(ValueError, match="the crop is too small for this network"):
        layer_table(network, crop_size, 10)
