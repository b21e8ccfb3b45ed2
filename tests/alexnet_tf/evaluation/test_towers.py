import numpy as np
import pytest
from scipy import stats

from alexnet_tf.evaluation.towers import colour_shares, towers_apart_p_value


def test_colour_shares_by_hand_and_by_tower():
    grey, red, opponent, dead = np.ones(3), np.array([5.0, 0, 0]), np.array([1.0, -2, 1]), np.zeros(3)
    kernels = np.broadcast_to(np.stack([grey, red, opponent, dead], axis=-1), (4, 4, 3, 4)).copy()
    kernels *= np.random.default_rng(0).normal(size=(4, 4, 1, 4))  # neither pattern nor strength matters
    np.testing.assert_allclose(colour_shares(kernels, 2), [(0 + 2 / 3) / 2, (1 + 0) / 2], atol=1e-12)
    np.testing.assert_allclose(colour_shares(kernels[..., :3], 1), [(0 + 2 / 3 + 1) / 3], atol=1e-12)
    drawn = np.random.default_rng(1).normal(size=(11, 11, 3, 96)).astype(np.float32)
    np.testing.assert_allclose(colour_shares(drawn, 2), 2 / 3, atol=0.02)


def colourful(*which):
    """Kernels of one pixel, grey or (1, -1, 0): a colour share of 0 or 1."""
    return np.array([[1.0, -1, 0] if each else [1.0, 1, 1] for each in which]).T.reshape(1, 1, 3, -1)


def test_chance_parts_towers_as_far_as_in_a_count_by_hand():
    # Of the 70 ways to choose four of eight, one has all four colourful kernels and one none; the shares differ by 1.
    assert towers_apart_p_value(colourful(0, 0, 0, 0, 1, 1, 1, 1), 2) == pytest.approx(2 / 70, abs=0.006)
    # 3 and 1, or 1 and 3: 16 ways each; with the two above, 34 of 70 are half apart or more.
    assert towers_apart_p_value(colourful(0, 1, 0, 0, 1, 0, 1, 1), 2) == pytest.approx(34 / 70, abs=0.02)
    assert towers_apart_p_value(colourful(0, 1, 0, 1, 0, 1, 0, 1), 2) == 1.0


def test_towers_of_the_same_kind_are_apart_by_chance_as_often_as_chance_says():
    drawn = np.random.default_rng(2).normal(size=(200, 5, 5, 3, 16))
    values = [towers_apart_p_value(kernels, 2) for kernels in drawn]
    assert stats.kstest(values, "uniform").pvalue > 0.01
