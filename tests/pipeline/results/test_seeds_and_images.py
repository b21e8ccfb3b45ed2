"""Intervals over seeds and images: by hand, against scipy, and by the share of drawn data that they cover."""

import numpy as np
import pytest
from scipy import stats

from pipeline.results.seeds_and_images import over_seeds, over_seeds_and_images


def test_student_over_seeds_is_that_of_scipy():
    values = np.array([0.01, 0.03, 0.02])
    found = over_seeds(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert found.mean == pytest.approx(0.02)
    assert found.by_seed == (0.01, 0.03, 0.02)


def test_one_seed_has_no_interval():
    for found in (over_seeds(np.array([0.5])), over_seeds_and_images(np.array([[1.0, 0.0]]))):
        assert (found.mean, found.low, found.high) == (0.5, None, None)


def test_two_seeds_and_two_images_by_hand():
    # Means: seeds 1/2 and 1, images 1 and 1/2, all 3/4. M_seed = 2·(1/8) = 1/4, so M_image; the rest is ±1/4: M = 1/4.
    # Variance (1/4 + 1/4 - 1/4) / 4 = 1/16; degrees (1/4)² / (3·(1/4)²) = 1/3, but at least the one of the seeds.
    found = over_seeds_and_images(np.array([[1.0, 0.0], [1.0, 1.0]]))
    assert found.by_seed == (0.5, 1.0)
    half = stats.t.ppf(0.975, 1) / 4
    assert (found.low, found.high) == pytest.approx((0.75 - half, 0.75 + half))


def test_equal_networks_differ_by_nothing():
    found = over_seeds_and_images(np.zeros((3, 10)))
    assert (found.mean, found.low, found.high) == (0, 0, 0)


def test_seeds_that_agree_leave_the_interval_of_the_images():
    # Every seed has the same difference on an image, so there is one sample of images, as in a test of their means.
    images = np.random.default_rng(0).choice([-1.0, 0.0, 1.0], 400)
    found = over_seeds_and_images(np.tile(images, (3, 1)))
    expected = stats.ttest_1samp(images, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx(tuple(expected), rel=1e-6)


@pytest.mark.parametrize(("seed_spread", "image_spread"), [(0.0, 0.0), (0.2, 0.0), (0.1, 1.0)])
def test_intervals_cover_what_data_are_drawn_from(seed_spread, image_spread):
    def chance(values):
        return 1 / (1 + np.exp(-values))

    def differences(generator, seeds, images):
        """Draw the chances of the two networks to err, by seed and image."""
        hard = generator.normal(-1, 1.2, images)
        harder = 0.3 + image_spread * generator.normal(size=images) + seed_spread * generator.normal(size=(seeds, 1))
        return chance(hard + harder), chance(np.broadcast_to(hard, (seeds, images)))

    generator = np.random.default_rng(0)
    truth = np.subtract(*differences(generator, 4000, 1000)).mean()
    covered = []
    for _ in range(300):
        network, baseline = differences(generator, 3, 500)
        wrong = [generator.random(each.shape) < each for each in (network, baseline)]
        found = over_seeds_and_images(1.0 * wrong[0] - wrong[1])
        covered.append(found.low <= truth <= found.high)
    assert 0.92 < np.mean(covered) < 0.995


@pytest.mark.parametrize("spread", [0.003, 0.005, 0.01])
@pytest.mark.parametrize(("seeds", "low", "high"), [(2, 0.88, 0.96), (3, 0.93, 0.97)])
def test_intervals_of_few_seeds_and_10_000_images_cover_as_docs_ablations_says(seeds, low, high, spread):
    # 16 % of the images are right with one network alone; which one leans by the seed and by the image.
    generator, alone = np.random.default_rng(0), 0.16
    covered = []
    for _ in range(600):
        lean = generator.normal(0, spread, (seeds, 1)) + generator.uniform(-0.1, 0.1, 10_000)
        drawn = generator.random((seeds, 10_000))
        wrong = 1.0 * (drawn < (alone + lean) / 2) - (drawn > 1 - (alone - lean) / 2)
        found = over_seeds_and_images(wrong)
        covered.append(found.low <= 0 <= found.high)
    assert low - 0.005 < np.mean(covered) < high + 0.005
