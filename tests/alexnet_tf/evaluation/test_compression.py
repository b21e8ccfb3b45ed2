import numpy as np
import pytest

from alexnet_tf.evaluation.compression import compressed, rounded_to_bfloat16
from alexnet_tf.models.networks import build
from alexnet_tf.models.weights import assign_arrays, model_arrays
from tests.alexnet_tf.small_training import alexnet, alexnet_bn, four_layer


def test_rounding_by_hand():
    """Seven bits after the leading one: halves go to the even neighbour."""
    values = np.float32([1 + 2**-8, 1 + 3 * 2**-8, -3.0, 2**-130])
    np.testing.assert_array_equal(rounded_to_bfloat16(values), np.float32([1, 1 + 2**-6, -3.0, 2**-130]))


@pytest.mark.parametrize(
    ("spec", "crop_size"), [(alexnet(weight_stddev=[0.1] * 8), 63), (alexnet_bn(), 63), (four_layer(), 24)]
)
def test_a_network_that_computes_in_bfloat16_answers_the_same(spec, crop_size):
    model = build(spec, crop_size=crop_size, num_classes=10, precision="bfloat16")
    images = np.random.default_rng(0).normal(size=(8, crop_size, crop_size, 3)).astype(np.float32)
    before, arrays = model(images).numpy(), model_arrays(model)
    small = compressed(arrays)
    assert any(np.any(small[name] != arrays[name]) for name in arrays)
    assign_arrays(model, small, source="the test")
    np.testing.assert_array_equal(model(images), before)
