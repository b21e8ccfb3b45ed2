import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alexnet_tf.models.specs import conv1_padding, pool_padding
from tests.alexnet_tf.small_training import alexnet, alexnet_bn


@given(st.integers(11, 400))
def test_conv1_sees_the_last_pixel_and_adds_no_window_of_zeros_alone(crop_size):
    before, after = conv1_padding(crop_size)
    windows = 1 + -(-(crop_size - 11) // 4)  # layer.py: modulesX = 1 + ceil((img - filter) / stride)
    assert before == 0
    assert 0 <= after < 4
    assert (windows - 1) * 4 + 11 == crop_size + after


@given(st.integers(3, 100), st.sampled_from([(3, 2), (2, 2)]))
def test_pools_cover_every_pixel(size, geometry):
    window, stride = geometry
    before, after = pool_padding(size, window, stride)
    assert before == 0
    assert 0 <= after < stride
    assert (size + after - window) % stride == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"filters": [8, 15, 16, 16, 16]}, "divisible by towers = 2"),
        ({"filters": [8, 16, 16, 16]}, "at least 5 items"),
        ({"lrn_size": 4}, "lrn_size must be odd"),
        ({"weight_stddev": [0.0] * 8}, "every weight_stddev must be positive"),
        ({"dropuot": 0.5}, "Extra inputs are not permitted"),
        ({"lrn_alpha": "1e-4"}, "valid number"),
        ({"dropout": 1.0}, "less than 1"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        alexnet(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conv1": "whitening", "filters": [5, 8, 8, 8, 8]}, "even number of filters, at most 54"),
        ({"conv1": "whitening", "filters": [26, 8, 8, 8, 8], "kernel_sizes": [2, 3, 3, 3, 3]}, "at most 24"),
        ({"initialization": "identity", "kernel_sizes": [3, 3, 2, 3, 3]}, "needs odd kernel_sizes after conv1"),
        ({"pools": [1, 2, 0, 1, 2]}, "greater than 0"),
    ],
)
def test_a_description_of_the_optimized_network_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        alexnet_bn(**changes)
