import functools
import itertools
import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet_tf.data.moments import Moments
from alexnet_tf.data.upscale import integer_upscale_matrix

IMAGES = np.random.default_rng(0).integers(0, 256, (11, 4, 4, 3), np.uint8)


def values(moments):
    return (moments.num_images, moments.sum_image.tolist(), moments.gram, moments.channel_sum)


def enlarged(images, factor):
    """Enlarge one by one; integers times the common denominator, as Python integers."""
    matrix = integer_upscale_matrix(images.shape[1], factor).astype(object)
    planes = [[matrix @ image[..., c].astype(object) @ matrix.T for c in range(3)] for image in images]
    return np.moveaxis(np.array(planes, object), 1, -1)


def test_one_image_by_hand():
    image = np.array([[[[1, 2, 3], [4, 0, 0]], [[0, 5, 0], [10, 20, 30]]]], np.uint8)
    moments = Moments.of(image, 2, 1)
    assert moments.channel_sum == (15, 27, 33)
    assert moments.gram == ((117, 202, 303), (202, 429, 606), (303, 606, 909))
    assert (moments.num_pixels, moments.denominator, moments.size) == (4, 1, 2)


def test_one_pixel_enlarged_is_that_pixel_many_times():
    moments = Moments.of(np.array([[[[7, 11, 13]]]], np.uint8), 1, 4)
    scale = moments.denominator
    assert moments.num_pixels == 16
    assert moments.channel_sum == tuple(16 * x * scale for x in (7, 11, 13))
    assert moments.gram[0][1] == 16 * 7 * 11 * scale**2


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
def test_moments_are_those_of_the_images_enlarged_one_by_one(factor):
    pixels = enlarged(IMAGES, factor).reshape(-1, 3)
    moments = Moments.of(IMAGES, 4, factor)
    assert moments.channel_sum == tuple(pixels.sum(axis=0))
    assert moments.gram == tuple(map(tuple, (pixels.T @ pixels).tolist()))
    np.testing.assert_array_equal(moments.enlarged_sum_image, enlarged(IMAGES, factor).sum(axis=0).astype(int))


def test_gram_is_exact_where_a_32_bit_sum_would_wrap():
    white = np.full((2, 260, 260, 3), 255, np.uint8)
    assert Moments.of(white, 260, 1).gram[2][0] == 2 * 260 * 260 * 255**2


@pytest.mark.parametrize("side", [37, 64])  # pixels that leave a rest, and that fill the matrices of the product
def test_gram_of_bright_noise_is_exact_to_the_last_digit(side):
    bright = np.random.default_rng(1).integers(240, 256, (5, side, side, 3), np.uint8)
    pixels = bright.reshape(-1, 3).astype(np.int64)
    assert Moments.of(bright, side, 1).gram == tuple(map(tuple, (pixels.T @ pixels).tolist()))


@pytest.mark.parametrize("side", [3, 260])  # many small images at a time, and one large
def test_white_images_beyond_what_16_bits_hold_are_summed_to_the_last_one(side):
    white = np.full((side, side, 3), 255, np.uint8)
    moments = Moments.of(itertools.repeat(white, 600), side, 1)
    assert moments.num_images == 600
    assert (moments.sum_image == 600 * 255).all()
    assert moments.gram[0][0] == 600 * side**2 * 255**2


def test_gram_is_exact_at_the_largest_enlargement_in_use():
    white = np.full((3, 32, 32, 3), 255, np.uint8)
    moments = Moments.of(white, 32, 8)
    assert moments.gram[0][2] == 3 * 256 * 256 * 255**2 * moments.denominator**2


@settings(max_examples=50)
@given(st.permutations(range(len(IMAGES))), st.sets(st.integers(1, len(IMAGES) - 1)), st.sampled_from([1, 2]))
def test_any_order_and_any_partition_give_the_same_integers(order, cuts, factor):
    parts = np.split(IMAGES[list(order)], sorted(cuts))
    merged = functools.reduce(operator.add, [Moments.of(part, 4, factor) for part in parts])
    assert values(merged) == values(Moments.of(IMAGES, 4, factor))


def test_zero_is_neutral():
    moments = Moments.of(IMAGES, 4, 2)
    assert values(Moments.zero(4, 2) + moments) == values(moments)


def test_moments_of_different_sizes_do_not_add():
    with pytest.raises(ValueError, match="4 x 2"):
        Moments.zero(4, 2) + Moments.zero(4, 1)


def test_what_cannot_be_exact_is_refused():
    with pytest.raises(ValueError, match="too much for exact sums"):
        Moments.of(IMAGES, 4, 64)


def test_more_images_than_int64_can_hold_are_refused():
    half = Moments(1, 1, 1 << 60, np.zeros((1, 1, 3), np.int64), ((0,) * 3,) * 3)
    with pytest.raises(ValueError, match="too many"):
        half + half
