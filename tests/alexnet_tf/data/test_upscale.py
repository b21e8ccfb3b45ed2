from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet_tf.data.upscale import integer_upscale_matrix, upscale_matrix, whole_factor

sides, factors = st.integers(1, 9), st.integers(1, 9)


def test_two_pixels_doubled_by_hand():
    np.testing.assert_array_equal(upscale_matrix(2, 2), [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])


def test_two_pixels_tripled_by_hand():
    expected = np.array([[6, 0], [6, 0], [4, 2], [2, 4], [0, 6], [0, 6]])
    np.testing.assert_array_equal(integer_upscale_matrix(2, 3), expected)


@given(sides, factors)
def test_weights_follow_the_definition(stored, factor):
    matrix = integer_upscale_matrix(stored, factor)
    for i in range(stored * factor):
        at = (i + Fraction(1, 2)) / factor - Fraction(1, 2)
        at = min(max(at, Fraction(0)), Fraction(stored - 1))
        weights = [max(Fraction(0), 1 - abs(at - j)) for j in range(stored)]
        assert [Fraction(int(x), 2 * factor if factor > 1 else 1) for x in matrix[i]] == weights


@given(sides, factors)
def test_rows_sum_to_one_and_mirroring_commutes(stored, factor):
    matrix = upscale_matrix(stored, factor)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-15)
    np.testing.assert_array_equal(matrix, matrix[::-1, ::-1])


@pytest.mark.parametrize(("stored", "factor"), [(32, 8), (28, 8), (5, 3), (64, 4)])
def test_it_is_tensorflows_bilinear_resize(stored, factor):
    import tensorflow as tf

    image = np.random.default_rng(0).integers(0, 256, (stored, stored, 3)).astype(np.float32)
    size = stored * factor
    matrix = upscale_matrix(stored, factor)
    ours = np.einsum("ai,ijc,bj->abc", matrix, image, matrix)
    theirs = tf.image.resize(image[None], (size, size), method="bilinear")[0].numpy()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)  # theirs is float32 of up to 255


def test_whole_factor():
    assert whole_factor(256, 32) == 8
    assert whole_factor(64, 64) == 1
    for size, stored_size in [(250, 32), (32, 64)]:
        with pytest.raises(ValueError, match="expected a whole multiple"):
            whole_factor(size, stored_size)
