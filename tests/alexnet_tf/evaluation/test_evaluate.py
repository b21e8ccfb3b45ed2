import ml_dtypes
import numpy as np
import pytest

from alexnet_tf.evaluation.evaluate import top_classes
from alexnet_tf.metrics.top_k import CENTER, score_views


class Split:
    """Seven images of noise, 8 pixels wide."""

    num_examples = 7
    labels = np.arange(7) % 5

    def read(self, indices):
        return np.random.default_rng(0).integers(0, 256, (7, 8, 8, 3), dtype=np.uint8)[np.asarray(indices)]


@pytest.fixture(scope="module")
def make_classifier():
    """A five-class classifier whose crops of 32 come from images of 8 pixels, enlarged to 40."""
    from alexnet_tf.models.classifier import Classifier
    from alexnet_tf.models.networks import build
    from alexnet_tf.models.views import Views
    from tests.alexnet_tf.small_training import alexnet_bn, input_spec

    spec = alexnet_bn(filters=[4] * 5, dense_units=[8, 8], dropout=0.5)
    views = Views(input_spec(crop_size=32, divide_by=64.0), 8, 40, np.float32([90, 100, 110]))
    return lambda: Classifier(build(spec, crop_size=32, num_classes=5, seed=1), views, tuple("abcde"), "float32")


@pytest.mark.parametrize("batch_size", [1, 3, 64])
@pytest.mark.parametrize("num_replicas", [1, 2])
def test_every_image_counts_once_whatever_batch_and_replicas(two_devices, make_classifier, batch_size, num_replicas):
    import tensorflow as tf

    from alexnet_tf.devices.strategy import make_strategy
    from alexnet_tf.evaluation.evaluate import evaluate, mean_luma

    strategy = make_strategy(two_devices[:num_replicas])
    with strategy.scope():
        classifier = make_classifier()
    advanced = []
    evaluated = evaluate(classifier, Split(), batch_size=batch_size, strategy=strategy, advance=advanced.append)
    scored = evaluated.predictions
    assert sum(advanced) == 7
    alone = make_classifier()
    views = alone.views.ten(Split().read(np.arange(7)))
    logits = alone.model(tf.reshape(views, [70, 32, 32, 3])).numpy().reshape(7, 10, 5)
    expected = score_views(logits, Split.labels)
    np.testing.assert_array_equal(evaluated.top_classes[:, 0], expected["ten_crop"].classes)
    np.testing.assert_array_equal(evaluated.brightness, mean_luma(Split().read(np.arange(7))))
    for name in ("center", "ten_crop"):
        np.testing.assert_array_equal(scored[name].classes, expected[name].classes)
        # Sums in another order: five decimal digits of float32's seven are left after five layers.
        np.testing.assert_allclose(scored[name].losses, expected[name].losses, rtol=1e-5)
        assert scored[name].error(1) == expected[name].error(1)
        assert list(scored[name].scores) == [1]


@pytest.mark.parametrize(("num_images", "positions"), [(3, [0, 2, 4]), (9, range(7))])
def test_what_was_learnt_is_scored_by_centre_crops_of_evenly_spread_images(make_classifier, num_images, positions):
    from alexnet_tf.devices.strategy import make_strategy
    from alexnet_tf.evaluation.evaluate import evaluate_training_images
    from alexnet_tf.metrics.top_k import join, score_center

    strategy, advanced = make_strategy(("CPU:0",)), []
    with strategy.scope():
        classifier = make_classifier()
    found = evaluate_training_images(
        classifier, Split(), num_images=num_images, batch_size=2, strategy=strategy, advance=advanced.append
    )
    assert sum(advanced) == len(positions)
    views = classifier.views.center(Split().read(list(positions)))
    expected = join(score_center([classifier.model(views).numpy()[:, None]], Split.labels[list(positions)]))
    np.testing.assert_array_equal(found.classes, expected.classes)
    np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-5)


def test_the_centre_of_the_ten_views_is_the_centre_view(make_classifier):
    views, images = make_classifier().views, Split().read(np.arange(7))
    np.testing.assert_array_equal(views.ten(images)[:, CENTER], views.center(images))


def test_ten_crops_in_bfloat16_are_averaged_in_full_precision():
    logits = np.random.default_rng(0).normal(size=(50, 10, 1000)).astype(ml_dtypes.bfloat16)
    np.testing.assert_allclose(top_classes(logits)[1], top_classes(logits.astype(np.float32))[1], rtol=1e-5)
