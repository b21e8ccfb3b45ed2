import json
import os
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from alexnet_tf.data.colour_statistics import ColourStatistics, derive, eigen_symmetric, mean_image, save_statistics
from alexnet_tf.data.moments import Moments
from alexnet_tf.data.upscale import upscale_matrix
from alexnet_tf.errors import DataError

IMAGES = np.random.default_rng(1).integers(0, 256, (9, 8, 8, 3)).astype(np.uint8)
IMAGES[..., 1] = IMAGES[..., 0] // 2 + IMAGES[..., 1] // 2  # so that colours correlate


@pytest.mark.parametrize("factor", [1, 4])
def test_numbers_equal_numpys_on_the_enlarged_images(factor):
    matrix = upscale_matrix(8, factor)
    large = np.einsum("ai,nijc,bj->nabc", matrix, IMAGES.astype(np.float64), matrix)
    pixels = large.reshape(-1, 3)
    found = derive(Moments.of(IMAGES, 8, factor))
    np.testing.assert_allclose(found["channel_mean"], pixels.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(found["covariance"], np.cov(pixels.T, ddof=0), rtol=1e-11)
    values, vectors = np.linalg.eigh(np.cov(pixels.T, ddof=0))
    np.testing.assert_allclose(found["eigenvalues"], values[::-1], rtol=1e-11)
    np.testing.assert_allclose(np.abs(found["eigenvectors"]), np.abs(vectors[:, ::-1]), rtol=1e-9)
    np.testing.assert_allclose(mean_image(Moments.of(IMAGES, 8, factor)), large.mean(axis=0), rtol=1e-6)


def test_two_pixels_by_hand():
    pixels = np.array([[[[0, 10, 20]]], [[[2, 10, 24]]]], np.uint8)
    found = derive(Moments.of(pixels, 1, 1))
    assert found["channel_mean"] == [1.0, 10.0, 22.0]
    assert found["covariance"] == [[1.0, 0.0, 2.0], [0.0, 0.0, 0.0], [2.0, 0.0, 4.0]]
    np.testing.assert_allclose(found["eigenvalues"], [5, 0, 0], atol=1e-15)
    first = [row[0] for row in found["eigenvectors"]]
    np.testing.assert_allclose(first, [1 / 5**0.5, 0, 2 / 5**0.5], rtol=1e-15)


def test_images_of_one_colour_have_no_colour_noise():
    found = derive(Moments.of(np.full((3, 2, 2, 3), 99, np.uint8), 2, 1))
    assert found["eigenvalues"] == [0.0, 0.0, 0.0]


@settings(max_examples=80)
@given(hnp.arrays(np.float64, (3, 5), elements=st.integers(-255, 255)))
def test_eigenvectors_are_orthonormal_sorted_signed_and_rebuild_the_matrix(factor):
    matrix = factor @ factor.T
    eigenvalues, eigenvectors = map(np.array, eigen_symmetric(matrix.tolist()))
    np.testing.assert_allclose(eigenvectors @ eigenvectors.T, np.eye(3), atol=1e-13)
    assert all(a >= b >= 0 for a, b in pairwise(eigenvalues))
    assert all(column[np.argmax(np.abs(column))] > 0 for column in eigenvectors.T)
    rebuilt = eigenvectors @ np.diag(eigenvalues) @ eigenvectors.T
    np.testing.assert_allclose(rebuilt, matrix, atol=1e-12 * (1 + np.abs(matrix).max()))


def test_what_is_saved_is_loaded(tmp_path):
    moments = Moments.of(IMAGES, 8, 4)
    save_statistics(tmp_path, moments)
    loaded = ColourStatistics.load(tmp_path)
    assert loaded.size == 32
    assert (loaded.mean_image.shape, loaded.mean_image.dtype) == ((32, 32, 3), np.float32)
    np.testing.assert_array_equal(loaded.mean_image, mean_image(moments))
    for name in ("channel_mean", "eigenvalues", "eigenvectors"):
        np.testing.assert_array_equal(getattr(loaded, name), derive(moments)[name])
    numbers = json.loads((tmp_path / "statistics.json").read_text())
    assert numbers["num_pixels"] == 9 * 32 * 32
    np.testing.assert_array_equal(np.load(tmp_path / "sum_image.npy"), IMAGES.sum(axis=0, dtype=np.int64))


def test_known_integers_give_known_bits():
    """Guards the derivation against reordering: the last bit must not move between machines or versions."""
    found = derive(Moments.of(np.arange(5 * 2 * 2 * 3, dtype=np.uint8).reshape(5, 2, 2, 3) ** 2, 2, 2))
    digits = [value.hex() for value in (*found["eigenvalues"], *found["eigenvectors"][0])]
    assert digits == [
        "0x1.49bfcd358c82ep+12",
        "0x1.e5ee8fc3488a7p+11",
        "0x1.3ad06a4c7fb8ap+11",
        "0x1.f57960731c584p-1",
        "-0x1.9c2214bf0375ep-3",
        "0x1.cccec6e3af3e4p-7",
    ]


@pytest.mark.parametrize("name", ["statistics.json", "mean_image.npy"])
def test_missing_or_broken_statistics_are_one_sentence(tmp_path, name):
    save_statistics(tmp_path, Moments.of(IMAGES, 8, 1))
    os.truncate(tmp_path / name, 30)
    with pytest.raises(DataError, match=r"expected colour statistics, found .*; run the stage statistics"):
        ColourStatistics.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(DataError, match=r"expected colour statistics, found .*; run the stage statistics"):
        ColourStatistics.load(tmp_path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("{}", "none of the name 'size'"),
        ('{"size": 8}', "none of the name 'num_images'"),
        ("[]", "list indices must be"),
    ],
)
def test_statistics_of_another_form_are_one_sentence(tmp_path, content, found):
    save_statistics(tmp_path, Moments.of(IMAGES, 8, 1))
    (tmp_path / "statistics.json").write_text(content)
    with pytest.raises(DataError, match=f"expected colour statistics, found {found}.*; run the stage statistics"):
        ColourStatistics.load(tmp_path)


def test_statistics_that_are_not_finite_are_refused(tmp_path):
    save_statistics(tmp_path, Moments.of(IMAGES, 8, 1))
    spoiled = np.load(tmp_path / "mean_image.npy")
    spoiled[3, 3, 1] = np.nan
    np.save(tmp_path / "mean_image.npy", spoiled)
    with pytest.raises(DataError, match="found values that are not finite; run the stage statistics"):
        ColourStatistics.load(tmp_path)


def test_half_a_zip_in_place_of_the_mean_image_is_one_sentence(tmp_path):
    save_statistics(tmp_path, Moments.of(IMAGES, 8, 1))
    (tmp_path / "mean_image.npy").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(DataError, match=r"expected colour statistics, found .*; run the stage statistics"):
        ColourStatistics.load(tmp_path)


def test_a_mean_image_of_another_size_is_one_sentence(tmp_path):
    save_statistics(tmp_path, Moments.of(IMAGES, 8, 1))
    np.save(tmp_path / "mean_image.npy", np.zeros((8, 9, 3), np.float32))
    with pytest.raises(DataError, match=r"found a mean image of shape \(8, 9, 3\) for images of 8 pixels; run the"):
        ColourStatistics.load(tmp_path)
