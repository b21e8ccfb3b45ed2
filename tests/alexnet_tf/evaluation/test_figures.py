import io

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from alexnet_tf.evaluation import figures
from alexnet_tf.plotting import legible


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_kernels_keep_their_pattern_and_the_towers_their_gap():
    kernels = np.zeros((2, 2, 3, 4), np.float32)
    kernels[0, 0, 0, 0] = 7  # the first kernel's upper left is red, the rest of it black
    one = pixels(figures.kernel_grid(kernels, towers=1))
    two = pixels(figures.kernel_grid(kernels, towers=2))
    scale = 800 // (4 * 3 + 1)
    assert one.shape == (4 * scale, 13 * scale, 3)
    np.testing.assert_array_equal(one[scale, scale], [255, 0, 0])
    np.testing.assert_array_equal(one[2 * scale, 2 * scale], [0, 0, 0])
    np.testing.assert_array_equal(one[0, 0], [255, 255, 255])
    # Two towers: two rows of 2 kernels, and 2 white pixels more between them.
    scale = 800 // (2 * 3 + 1)
    assert two.shape == ((4 + 4 + 2) * scale, 7 * scale, 3)


def test_colour_shares_by_hand_and_by_tower():
    grey, red, opponent, dead = np.ones(3), np.array([5.0, 0, 0]), np.array([1.0, -2, 1]), np.zeros(3)
    kernels = np.broadcast_to(np.stack([grey, red, opponent, dead], axis=-1), (4, 4, 3, 4)).copy()
    kernels *= np.random.default_rng(0).normal(size=(4, 4, 1, 4))  # neither pattern nor strength matters
    np.testing.assert_allclose(figures.colour_shares(kernels, 2), [(0 + 2 / 3) / 2, (1 + 0) / 2], atol=1e-12)
    np.testing.assert_allclose(figures.colour_shares(kernels[..., :3], 1), [(0 + 2 / 3 + 1) / 3], atol=1e-12)
    drawn = np.random.default_rng(1).normal(size=(11, 11, 3, 96)).astype(np.float32)
    np.testing.assert_allclose(figures.colour_shares(drawn, 2), 2 / 3, atol=0.02)


def colourful(*which):
    """Kernels of one pixel, grey or (1, -1, 0): a colour share of 0 or 1."""
    return np.array([[1.0, -1, 0] if each else [1.0, 1, 1] for each in which]).T.reshape(1, 1, 3, -1)


def test_chance_parts_towers_as_far_as_in_a_count_by_hand():
    # Of the 70 ways to choose four of eight, one has all four colourful kernels and one none; the shares differ by 1.
    assert figures.towers_apart_p_value(colourful(0, 0, 0, 0, 1, 1, 1, 1), 2) == pytest.approx(2 / 70, abs=0.006)
    # 3 and 1, or 1 and 3: 16 ways each; with the two above, 34 of 70 are half apart or more.
    assert figures.towers_apart_p_value(colourful(0, 1, 0, 0, 1, 0, 1, 1), 2) == pytest.approx(34 / 70, abs=0.02)
    assert figures.towers_apart_p_value(colourful(0, 1, 0, 1, 0, 1, 0, 1), 2) == 1.0


def test_towers_of_the_same_kind_are_apart_by_chance_as_often_as_chance_says():
    drawn = np.random.default_rng(2).normal(size=(200, 5, 5, 3, 16))
    values = [figures.towers_apart_p_value(kernels, 2) for kernels in drawn]
    assert stats.kstest(values, "uniform").pvalue > 0.01


def test_many_classes_can_be_drawn():
    names = [f"class {index}" for index in range(100)]
    assert pixels(figures.confusion_matrix(np.eye(100, dtype=int), names, title="t")).shape[0] < 2000


def test_letters_that_the_font_lacks_are_told_apart(recwarn):
    named = [figures.confusion_matrix(np.eye(2, dtype=int), ["a", name], title="t") for name in ("花", "木", "花")]
    assert named[0] == named[2] != named[1]
    assert not recwarn.list
    assert legible("rosé, 花") == "rosé, U+82B1"
    assert figures.shortened("花" * 9) == "U+82B1" * 3 + "U+82B…"


def test_long_names_leave_room_for_the_matrix():
    names = [f"{index} {'a long name of a class ' * 3}" for index in range(12)]
    short, long = (
        pixels(figures.confusion_matrix(np.eye(12, dtype=int), each, title="t"))
        for each in ([n[:20] for n in names], names)
    )
    blue = [(np.abs(each.astype(int) - (8, 48, 107)).sum(axis=-1) < 12).sum() for each in (short, long)]
    assert blue[1] > 0.5 * blue[0]
