import numpy as np
import pytest

from alexnet_tf.errors import ConfigError, DataError
from alexnet_tf.models import whitening
from alexnet_tf.models.networks import build
from alexnet_tf.models.whitening import NUM_IMAGES, RIDGE, whiten, whitening_images, whitening_kernel
from tests.alexnet_tf.small_training import alexnet, alexnet_bn


def smooth_images(count=30, side=10):
    noise = np.random.default_rng(0).normal(0, 1, (count, side + 2, side + 2, 3))
    noise[..., 1] = 0.8 * noise[..., 0] + 0.3 * noise[..., 1]  # colours of photographs go together
    return (noise[:, 2:, 2:] + noise[:, 1:-1, 2:] + noise[:, 2:, 1:-1]).astype(np.float32)


def responses(images, kernel):
    """Correlate as a convolution of TensorFlow does: (positions, filters), by loops over the patch."""
    size = kernel.shape[0]
    span = images.shape[1] - size + 1
    total = 0.0
    for row in range(size):
        for column in range(size):
            window = images[:, row : row + span, column : column + span].astype(np.float64)
            total = total + window @ kernel[row, column]
    return total.reshape(-1, kernel.shape[-1])


@pytest.mark.parametrize("size", [2, 3])
def test_responses_are_white(size):
    images = smooth_images()
    axes = 3 * size * size
    found = responses(images, whitening_kernel(images, size=size, filters=2 * axes))[:, :axes]
    second_moment = found.T @ found / len(found)
    variances = np.diag(second_moment)
    np.testing.assert_allclose(second_moment, np.diag(variances), atol=1e-3)
    assert np.all((variances > 0.9) & (variances <= 1 + 1e-6))  # the ridge takes a little from the smallest


def test_of_two_kinds_of_pixels_by_hand():
    # One pixel in three colours, two of them varying alone with mean squares 4 and 1: 1/√(4 + ε), 1/√(1 + ε).
    images = np.zeros((4, 1, 1, 3), np.float32)
    images[:2, ..., 2], images[2:, ..., 0] = [[[8**0.5]], [[-(8**0.5)]]], [[[2**0.5]], [[-(2**0.5)]]]
    kernel = whitening_kernel(images, size=1, filters=4)[0, 0]
    expected = np.zeros((3, 4))
    expected[2, 0], expected[0, 1] = (4 + RIDGE) ** -0.5, (1 + RIDGE) ** -0.5
    expected[:, 2:] = -expected[:, :2]
    np.testing.assert_allclose(kernel, expected, atol=1e-6)


def test_the_axes_of_large_variance_come_first_and_with_both_signs():
    images = smooth_images()
    kernel = whitening_kernel(images, size=2, filters=8)
    np.testing.assert_array_equal(kernel[..., 4:], -kernel[..., :4])
    norms = np.linalg.norm(kernel[..., :4].reshape(-1, 4), axis=0)  # 1 / standard deviation
    assert np.all(np.diff(norms) > 0)
    full = whitening_kernel(images, size=2, filters=24)
    np.testing.assert_array_equal(full[..., :4], kernel[..., :4])


def test_at_most_so_many_images_are_looked_at_from_the_whole_split():
    assert whitening_images(7).tolist() == list(range(7))
    chosen = whitening_images(45_035)
    assert len(chosen) == NUM_IMAGES
    assert (chosen[0], chosen[-1]) == (0, 45_034)


@pytest.mark.parametrize(("side", "size"), [(32, 2), (44, 2), (56, 3), (112, 4)])
def test_the_sums_of_the_experiments_are_made_of_twenty_images_each(side, size, monkeypatch):
    """That CIFAR-10, the sample, Tiny ImageNet and Imagenette keep their bytes: another grouping rounds differently."""
    images = smooth_images(45, side)
    expected = whitening_kernel(images, size=size, filters=4)
    monkeypatch.setattr(whitening, "_PATCH_VALUES", 10**12)  # which limits nothing
    np.testing.assert_array_equal(whitening_kernel(images, size=size, filters=4), expected)


def test_large_patches_are_held_for_fewer_images_at_once(monkeypatch):
    images = smooth_images(30, 20)
    expected = whitening_kernel(images, size=5, filters=8)
    lengths, split = [], np.array_split

    def noting(array, sections):
        lengths.extend(map(len, parts := split(array, sections)))
        return parts

    monkeypatch.setattr(np, "array_split", noting)
    monkeypatch.setattr(whitening, "_PATCH_VALUES", 4 * 16 * 16 * 75)
    np.testing.assert_allclose(whitening_kernel(images, size=5, filters=8), expected, rtol=1e-4)
    assert sum(lengths) == 30
    assert max(lengths) <= 4


@pytest.mark.parametrize("size", [2, 3])
def test_axes_along_which_nothing_varies_give_kernels_of_zeros(size):
    """Of grey images all three colours are equal, so that a patch has a third of the axes."""
    grey = np.repeat(smooth_images()[..., :1], 3, axis=-1)
    kernel = whitening_kernel(grey, size=size, filters=6 * size * size).reshape(-1, 6 * size * size)
    useful = np.abs(kernel[:, : 3 * size * size]).max(axis=0) > 0
    assert useful.tolist() == [True] * size * size + [False] * 2 * size * size
    nearly = whitening_kernel(grey * np.float32(1 + 1e-7), size=size, filters=6 * size * size)
    np.testing.assert_allclose(nearly.reshape(kernel.shape), kernel, atol=1e-4)


def test_a_network_gets_the_kernels_of_its_images_and_one_that_learns_them_is_refused():
    images = np.random.default_rng(3).normal(size=(30, 32, 32, 3)).astype(np.float32)
    spec = alexnet_bn(conv1="whitening", filters=[12, 8, 8, 8, 8], kernel_sizes=[2, 3, 3, 3, 3])
    model = build(spec, crop_size=32, num_classes=3)
    whiten(model, images)
    np.testing.assert_array_equal(model.convs[0].kernel.numpy(), whitening_kernel(images, size=2, filters=12))
    for learned, got in ((alexnet_bn(), "learned"), (alexnet(), "AlexNet")):
        with pytest.raises(ConfigError, match=f"expected a network whose conv1 is whitening, .*, got {got}"):
            whiten(build(learned, crop_size=63, num_classes=3), images)
    with pytest.raises(ConfigError, match="got str"):
        whiten("model", images)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (np.zeros((32, 32, 3), np.float32), r"expected shape \(N, 32, 32, 3\), N at least 1, got \(32, 32, 3\)"),
        (np.zeros((2, 31, 32, 3), np.float32), r"expected shape \(N, 32, 32, 3\)"),
        (np.zeros((0, 32, 32, 3), np.float32), "expected shape .* N at least 1, got"),
        (np.zeros((2, 32, 32, 3), np.uint8), "expected float32, minus the mean of the training images .*, got uint8"),
        (np.full((2, 32, 32, 3), np.nan, np.float32), "expected finite values, found NaN or infinity"),
    ],
)
def test_images_that_the_network_cannot_see_are_refused_in_a_sentence(images, sentence):
    spec = alexnet_bn(conv1="whitening", filters=[12, 8, 8, 8, 8], kernel_sizes=[2, 3, 3, 3, 3])
    model = build(spec, crop_size=32, num_classes=3)
    with pytest.raises(DataError, match=f"^images: {sentence}"):
        whiten(model, images)


def test_images_that_are_zero_give_kernels_of_zeros():
    assert not whitening_kernel(np.zeros((2, 8, 8, 3), np.float32), size=2, filters=12).any()
