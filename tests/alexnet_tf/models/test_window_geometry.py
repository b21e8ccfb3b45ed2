from hypothesis import given
from hypothesis import strategies as st

from alexnet_tf.models.window_geometry import conv1_padding, pool_overrun


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
    overrun = pool_overrun(size, window, stride)
    assert 0 <= overrun < stride
    assert (size + overrun - window) % stride == 0
