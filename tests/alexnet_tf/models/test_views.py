import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError
from scipy import stats

from alexnet_tf.data.images import decode, to_square
from alexnet_tf.models.specs import InputSpec
from alexnet_tf.models.views import Views
from alexnet_tf.random_streams import COLOUR, COLUMN_OFFSET, FLIP, ROW_OFFSET, RandomStreams
from alexnet_tf.sample.generate import generate
from pipeline.environment.yaml_file import read
from tests.alexnet_tf.small_training import augmentation, input_spec

QUIET = {"colour_noise": "none", "flip": "none"}


def pixels(count, side, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), np.uint8)


def views(*, crop_size, size, stored_size=None, **spec):
    mean_image = np.random.default_rng(9).uniform(0, 255, (size, size, 3)).astype(np.float32)
    return Views.create(
        input_spec(crop_size=crop_size, **spec),
        stored_size=stored_size or size,
        size=size,
        mean_image=mean_image,
        channel_mean=[100.0, 110.0, 120.0],
    )


def raw(*, crop_size, size, stored_size=None):
    """Views without a mean: what comes out is pixels."""
    return Views(input_spec(crop_size=crop_size), stored_size or size, size, np.zeros(3, np.float32))


def draw(count, *, step=0, seed=1):
    return RandomStreams(tf.constant([seed, step]), tf.range(count), count)


def train(views, images, noise_on=True, axes=None, step=0, draw_=None, mirrored=None, **changes):
    axes = np.eye(3, dtype=np.float32) if axes is None else axes
    where = draw_ or draw(len(images), step=step)
    return views.training(tf.constant(images), where, augmentation(**changes), axes, noise_on, mirrored).numpy()


def place_image(size, count):
    """Images whose pixel says where it is: (row, column, 0)."""
    image = np.zeros((size, size, 3), np.uint8)
    image[..., 0], image[..., 1] = np.mgrid[:size, :size]
    return np.repeat(image[None], count, axis=0)


def offsets(crops):
    return crops[:, 0, 0, 0].astype(int), crops[:, 0, 0, 1].astype(int)


def test_all_33_offsets_of_either_axis_are_equally_likely_and_independent():
    # A 4-pixel crop of 36 pixels has as many offsets as 224 of 256.
    crops = train(raw(crop_size=4, size=36), place_image(36, 6600), **QUIET)
    rows, columns = offsets(crops)
    for found in (rows, columns):
        counts = np.bincount(found, minlength=33)
        assert len(counts) == 33
        assert stats.chisquare(counts).pvalue > 0.01
    assert stats.pearsonr(rows, columns).pvalue > 0.01


def test_224_of_256_has_33_offsets_and_reaches_both_ends():
    images = place_image(256, 64)
    found = [offsets(train(raw(crop_size=224, size=256), images, step=step, **QUIET)) for step in range(4)]
    rows = np.concatenate([rows for rows, _ in found])
    assert rows.min() >= 0
    assert rows.max() <= 32
    assert len(set(rows)) > 28  # 256 draws of 33


def test_a_crop_is_a_part_of_its_image():
    images = pixels(8, 20)
    crops = train(raw(crop_size=12, size=20), images, **QUIET)
    for crop, image in zip(crops, images, strict=True):
        places = [
            (row, column)
            for row in range(9)
            for column in range(9)
            if np.array_equal(crop, image[row : row + 12, column : column + 12])
        ]
        assert len(places) == 1


def test_half_of_the_images_are_mirrored_and_none_is_otherwise_changed():
    images = pixels(1000, 8)
    crops = train(raw(crop_size=8, size=8), images, colour_noise="none")
    plain = np.all(crops == images, axis=(1, 2, 3))
    mirrored = np.all(crops == images[:, :, ::-1], axis=(1, 2, 3))
    assert np.all(plain ^ mirrored)
    assert stats.binomtest(int(mirrored.sum()), 1000, 0.5).pvalue > 0.01


def test_a_chunk_of_32_images_shares_offset_and_mirror():
    crops = train(raw(crop_size=16, size=48), place_image(48, 128), crops_per="chunk", colour_noise="none")
    for chunk in np.split(crops, 4):
        assert np.all(chunk == chunk[:1])
    assert len({chunk.tobytes() for chunk in crops}) == 4


def test_alternating_mirrors_the_images_that_it_is_told_to():
    images = pixels(6, 8)
    mirrored = np.array([True, False, False, True, True, False])
    changes = QUIET | {"crop": "center", "flip": "alternating"}
    found = train(raw(crop_size=8, size=8), images, mirrored=mirrored, **changes)
    np.testing.assert_array_equal(found, np.where(mirrored[:, None, None, None], images[:, :, ::-1], images))


def test_alternating_with_one_draw_for_a_chunk_is_refused():
    with pytest.raises(ValidationError, match="crops_per: image"):
        augmentation(flip="alternating", crops_per="chunk")


def test_two_epochs_differ_and_a_repeat_is_equal():
    images = pixels(16, 20)
    seen = raw(crop_size=12, size=20)
    np.testing.assert_array_equal(train(seen, images), train(seen, images))
    assert not np.array_equal(train(seen, images), train(seen, images, step=1))


@pytest.mark.parametrize("stored_size", [20, 10])
def test_any_split_of_the_batch_gives_the_same_views(stored_size):
    images = pixels(16, stored_size)
    seen = raw(crop_size=12, size=20, stored_size=stored_size)
    whole = train(seen, images)
    for rows in ([0, 1, 2, 3], [12, 5], [15]):
        part = RandomStreams(tf.constant([1, 0]), tf.constant(rows), 16)
        np.testing.assert_allclose(train(seen, images[rows], draw_=part), whole[rows], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("stored_size", [20, 10])
def test_the_views_are_the_same_in_a_graph(stored_size):
    images = pixels(8, stored_size)
    seen = raw(crop_size=12, size=20, stored_size=stored_size)
    graph = tf.function(lambda x: seen.training(x, draw(8), augmentation(), np.eye(3, dtype=np.float32), True, None))
    np.testing.assert_allclose(graph(tf.constant(images)), train(seen, images), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("crop_size", [12, 13])
def test_ten_views_are_four_corners_and_the_centre_and_their_mirrors(crop_size):
    images = pixels(3, 20)
    found = raw(crop_size=crop_size, size=20).ten(tf.constant(images, tf.float32)).numpy()
    end, middle = 20 - crop_size, (20 - crop_size) // 2
    starts = [(0, 0), (0, end), (end, 0), (end, end), (middle, middle)]
    crops = [images[:, row : row + crop_size, column : column + crop_size] for row, column in starts]
    expected = np.stack([*crops, *(crop[:, :, ::-1] for crop in crops)], axis=1)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("crop_size", [20, 17])
def test_a_border_lets_the_ten_views_look_beyond_the_image(crop_size):
    images = pixels(3, 20)
    seen = views(crop_size=crop_size, size=20, test_border=2)
    large = np.pad(images, [(0, 0), (2, 2), (2, 2), (0, 0)], "reflect")
    end, middle = 24 - crop_size, 2 + (20 - crop_size) // 2
    starts = [(0, 0), (0, end), (end, 0), (end, end), (middle, middle)]
    crops = [large[:, row : row + crop_size, column : column + crop_size] for row, column in starts]
    expected = np.stack([*crops, *(crop[:, :, ::-1] for crop in crops)], axis=1) - np.float32([100, 110, 120])
    found = seen.ten(tf.constant(images, tf.float32)).numpy()
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found[:, 4], seen.center(tf.constant(images, tf.float32)))


def test_nothing_but_the_mean_is_taken_from_the_pixels(root):
    # 40 pictures of the sample at the size of the records; ImageNet's pixels have a standard deviation of 74 (raw).
    pictures = [generate("train", n % 10, 20 + n, 2012)[1] for n in range(40)]
    images = np.stack([to_square(decode(picture, max_pixels=10**7), 64) for picture in pictures])
    mean = images.mean(axis=(0, 1, 2), dtype=np.float64).astype(np.float32)
    for experiment in ("sample", "cifar10", "imagenette", "imagenet2012"):
        variant = read(root / f"experiments/{experiment}.yaml")["variants"]["faithful"]
        assert (variant["input"]["divide_by"], variant["input"]["mean"]) == (1.0, "pixel")
    spec = InputSpec.model_validate(variant["input"] | {"crop_size": 56, "mean": "channel"})
    seen = Views.create(spec, stored_size=64, size=64, mean_image=np.zeros((64, 64, 3)), channel_mean=mean)
    centred = seen.center(tf.constant(images, tf.float32)).numpy()
    np.testing.assert_allclose(centred + mean, images[:, 4:60, 4:60], atol=1e-4)
    assert 40 < centred.std() < 90
    assert centred.min() < -50
    assert centred.max() > 50


def test_the_mean_is_the_centre_of_the_mean_image_wherever_the_crop_is():
    seen = views(crop_size=12, size=20, mean="pixel", divide_by=2.0)
    mean_image = np.random.default_rng(9).uniform(0, 255, (20, 20, 3)).astype(np.float32)
    images = pixels(2, 20)
    expected = (images[:, :12, :12] - mean_image[4:16, 4:16]) / 2
    np.testing.assert_allclose(seen.ten(tf.constant(images, tf.float32))[:, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("factor", [2, 8])
def test_enlarged_images_equal_those_of_tensorflow(factor):
    images = pixels(4, 8)
    size = 8 * factor
    expected = tf.image.resize(images, (size, size), method="bilinear")
    np.testing.assert_allclose(raw(crop_size=5, size=size, stored_size=8).enlarged(images), expected, atol=1e-3)


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("stored_size", [16, 8])
def test_training_crops_are_cut_from_the_enlarged_and_mirrored_image(stored_size, padding):
    images = pixels(16, stored_size)
    large = tf.image.resize(images, (16, 16), method="bilinear").numpy()
    large = np.pad(large, [(0, 0), (padding, padding), (padding, padding), (0, 0)], "reflect")
    crops = train(raw(crop_size=11, size=16, stored_size=stored_size), images, padding=padding, **QUIET)
    seen = set()
    for crop, image in zip(crops, large, strict=True):
        errors = {
            (row, column): np.abs(crop - image[row : row + 11, column : column + 11]).max()
            for row in range(6 + 2 * padding)
            for column in range(6 + 2 * padding)
        }
        place = min(errors, key=errors.get)
        assert errors[place] < 1e-3
        seen.add(place)
    assert len(seen) > 8


def test_crops_of_enlarged_images_lose_the_mean_and_take_colour_noise():
    images, where = pixels(16, 8), draw(16)
    seen = views(crop_size=11, size=16, stored_size=8, mean="pixel", divide_by=64.0)
    axes = np.random.default_rng(3).normal(scale=20, size=(3, 3)).astype(np.float32)
    found = train(seen, images, draw_=where, axes=axes, colour_noise="sqrt_eigenvalue")
    crops = train(raw(crop_size=11, size=16, stored_size=8), images, draw_=where, colour_noise="none")
    shift = np.asarray(where.normal(COLOUR, (3,))) @ axes.T
    expected = (crops - seen.mean + shift[:, None, None]) / 1.1 / 64  # convdata.py: over 1 + the noise's scale
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.abs(shift).min(axis=0).max() > 0.1


@pytest.mark.parametrize("padding", [0, 3])
def test_training_views_are_slices_at_the_drawn_places_bit_for_bit(padding):
    images, where = pixels(16, 16), draw(16)
    seen = views(crop_size=11, size=16, mean="pixel", divide_by=64.0)
    found = train(seen, images, draw_=where, padding=padding, colour_noise="none")
    large = np.pad(images, [(0, 0), (padding, padding), (padding, padding), (0, 0)], "reflect")
    uniform = (where.uniform(stream).numpy() for stream in (ROW_OFFSET, COLUMN_OFFSET, FLIP))
    for view, image, row, column, coin in zip(found, large, *uniform, strict=True):
        top, left = int(row * np.float32(6 + 2 * padding)), int(column * np.float32(6 + 2 * padding))
        crop = image[top : top + 11, left : left + 11]
        crop = crop[:, ::-1] if coin < 0.5 else crop
        np.testing.assert_array_equal(view, (crop.astype(np.float32) - seen.mean) / np.float32(64))


def test_padding_widens_the_range_of_offsets_evenly():
    images = pixels(1, 8).repeat(3000, axis=0)
    padded = np.pad(images[0], [(2, 2), (2, 2), (0, 0)], "reflect")
    crops = train(raw(crop_size=8, size=8), images, padding=2, **QUIET)
    windows = {padded[r : r + 8, c : c + 8].astype(np.float32).tobytes(): (r, c) for r in range(5) for c in range(5)}
    places = [windows[crop.tobytes()] for crop in crops]
    counts = np.bincount([5 * row + column for row, column in places], minlength=25)
    assert stats.chisquare(counts).pvalue > 0.01


def test_center_crops_are_the_centre_of_the_image():
    images = pixels(4, 20)
    crops = train(raw(crop_size=12, size=20), images, crop="center", **QUIET)
    np.testing.assert_array_equal(crops, images[:, 4:16, 4:16])


def test_padding_around_a_centre_crop_is_refused():
    with pytest.raises(ValidationError, match="crop: center needs padding 0, got 4"):
        augmentation(crop="center", padding=4)


def test_a_crop_larger_than_the_image_is_refused():
    with pytest.raises(ValueError, match=r"input.crop_size must be at most the image size 20, got 24"):
        views(crop_size=24, size=20)
