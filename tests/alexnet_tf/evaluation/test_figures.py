import io

import numpy as np
from PIL import Image

from alexnet_tf.evaluation import figures


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


def test_equal_numbers_give_equal_bytes():
    counts = np.array([[3, 1], [0, 4]])
    assert figures.confusion_matrix(counts, ["a", "b"], title="t") == figures.confusion_matrix(
        counts, ["a", "b"], title="t"
    )


def test_many_classes_can_be_drawn():
    names = [f"class {index}" for index in range(100)]
    assert pixels(figures.confusion_matrix(np.eye(100, dtype=int), names, title="t")).shape[0] < 2000
