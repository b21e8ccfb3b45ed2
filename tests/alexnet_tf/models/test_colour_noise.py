import numpy as np
import pytest

from alexnet_tf.models.views import colour_axes
from tests.alexnet_tf.models.test_views import QUIET, pixels, raw, train, views
from tests.alexnet_tf.small_training import augmentation
from tests.reference import pca as reference


def test_colour_noise_is_drawn_per_image_even_in_a_chunk():
    images = np.full((32, 8, 8, 3), 128, np.uint8)
    crops = train(raw(crop_size=8, size=8), images, crops_per="chunk")
    assert len({crop.tobytes() for crop in crops}) == 32


def test_colour_noise_is_drawn_again_when_an_image_is_used_again():
    images = np.full((16, 8, 8, 3), 100, np.uint8)
    quiet = QUIET | {"crop": "center", "colour_noise": "eigenvalue"}
    first, second = (train(raw(crop_size=8, size=8), images, step=step, **quiet) for step in (0, 1))
    assert np.all(np.abs(first - second).max(axis=(1, 2, 3)) > 1e-4)


def colour_shifts(kind, count=4000):
    """Return the shifts in grey levels, (count, 3), of grey images, and the RGB values they were computed for."""
    colours = np.random.default_rng(3).multivariate_normal(
        [120, 110, 100], [[5000, 4000, 3000], [4000, 5200, 4100], [3000, 4100, 6000]], 5000
    )
    values, vectors = np.linalg.eigh(np.cov(colours.T, ddof=0))
    axes = colour_axes(augmentation(colour_noise=kind), values, vectors)
    images = np.full((count, 4, 4, 3), 100, np.uint8)
    crops = train(raw(crop_size=4, size=4), images, axes=axes, colour_noise=kind)
    contrast = 1.1 if kind == "sqrt_eigenvalue" else 1.0  # convdata.py divides the noisy image by 1.1
    spread = crops.max(axis=(1, 2)) - crops.min(axis=(1, 2))
    np.testing.assert_allclose(spread, 0, atol=1e-4)  # the same for all pixels of an image
    return crops[:, 0, 0] * contrast - 100, colours


def assert_covariance(shifts, expected):
    found = np.cov(shifts.T)
    # The standard error of a variance from 4000 draws is 2.2 %.
    np.testing.assert_allclose(found, expected, atol=0.1 * np.trace(expected))
    assert np.trace(found) == pytest.approx(np.trace(expected), rel=0.1)
    assert np.abs(shifts.mean(axis=0)).max() < 4 * np.sqrt(np.trace(expected) / len(shifts))


def test_colour_noise_of_the_code_has_a_hundredth_of_the_covariance_of_the_pixels():
    shifts, colours = colour_shifts("sqrt_eigenvalue")
    assert_covariance(shifts, reference.code_covariance(colours))


def test_colour_noise_read_literally_is_that_of_pixels_from_0_to_1():
    shifts, colours = colour_shifts("eigenvalue")
    assert_covariance(shifts / 255, reference.paper_covariance(colours / 255))


def test_colour_axes_by_hand():
    eigenvectors = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])
    axes = colour_axes(augmentation(), [400.0, 100.0, 0.0], eigenvectors)
    # Columns are 0.1·√λ·p: 2·(0.6, 0.8, 0) and 1·(-0.8, 0.6, 0).
    np.testing.assert_allclose(axes, [[1.2, -0.8, 0], [1.6, 0.6, 0], [0, 0, 0]], rtol=1e-6)
    literal = colour_axes(augmentation(colour_noise="eigenvalue"), [2550.0, 255.0, 0.0], eigenvectors)
    np.testing.assert_allclose(literal, [[0.6, -0.08, 0], [0.8, 0.06, 0], [0, 0, 0]], rtol=1e-6)
    assert not colour_axes(augmentation(colour_noise="none"), [1.0, 1.0, 1.0], eigenvectors).any()
    # Rounding may leave an eigenvalue just below zero.
    assert np.isfinite(colour_axes(augmentation(), [400.0, 100.0, -1e-12], eigenvectors)).all()


def test_colour_noise_switched_off_leaves_neither_shift_nor_contrast():
    images = pixels(8, 8)
    off = train(raw(crop_size=8, size=8), images, noise_on=False, flip="none")
    np.testing.assert_array_equal(off, images)


def test_noise_comes_after_the_mean_and_before_the_contrast_and_is_not_clipped():
    images = np.full((500, 8, 8, 3), 250, np.uint8)
    seen = views(crop_size=8, size=8, mean="channel")
    crops = train(seen, images, axes=np.diag([30, 30, 30]).astype(np.float32), flip="none")
    quiet = train(seen, images, **QUIET)
    np.testing.assert_array_equal(quiet[0, 0, 0], [150, 140, 130])
    shifts = crops[:, 0, 0] * 1.1 - quiet[:, 0, 0]
    assert shifts.std() == pytest.approx(30, rel=0.1)
    assert crops.max() > 155 / 1.1
