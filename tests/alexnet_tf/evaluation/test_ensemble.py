"""Averages of several networks: by hand, against plain numpy, and what must hold of them."""

import numpy as np
import pytest

from alexnet_tf.devices.strategy import make_strategy
from alexnet_tf.errors import DataError, TrainingError
from alexnet_tf.evaluation.ensemble import average, evaluate_together
from alexnet_tf.evaluation.evaluate import evaluate
from tests.alexnet_tf.small_networks import CLASSES, classifier_of_six
from tests.alexnet_tf.small_training import MemorySplit, images

NUM = 11


def noise(seed, num=NUM, num_classes=6):
    return np.random.default_rng(seed).normal(0, 3, (num, 10, num_classes)).astype(np.float32)


def test_two_networks_by_hand():
    # One is sure of class 0; the other gives class 1 all but e⁻¹ of two: (1 + 0.269) / 2 beside 0.731 / 2.
    sure = np.tile(np.float32([60, 0]), (1, 10, 1))
    leaning = np.tile(np.float32([0, 1]), (1, 10, 1))
    predictions = average([sure, leaning], np.array([1]))
    assert predictions.classes.tolist() == [0]
    assert predictions.label_probabilities[0] == pytest.approx(0.5 / (1 + np.exp(-1)), rel=1e-6)
    assert predictions.losses[0] == pytest.approx(-np.log(0.5 / (1 + np.exp(-1))), rel=1e-9)


def test_the_mean_is_that_of_plain_numpy_and_the_order_does_not_matter():
    labels = np.arange(NUM) % 6
    logits = [noise(seed) for seed in range(3)]
    wide = np.exp(np.stack(logits).astype(np.float64))
    probabilities = (wide / wide.sum(axis=-1, keepdims=True)).mean(axis=2).mean(axis=0)
    predictions = average(logits, labels)
    np.testing.assert_array_equal(predictions.classes, probabilities.argmax(axis=1))
    np.testing.assert_allclose(predictions.label_probabilities, probabilities[np.arange(NUM), labels], rtol=1e-5)
    np.testing.assert_allclose(predictions.losses, -np.log(probabilities[np.arange(NUM), labels]), rtol=1e-9)
    turned = average(logits[::-1], labels)
    np.testing.assert_allclose(turned.label_probabilities, predictions.label_probabilities, rtol=1e-6)


def test_networks_that_agree_say_what_one_says():
    labels = np.arange(NUM) % 6
    one, three = average([noise(1)], labels), average([noise(1)] * 3, labels)
    np.testing.assert_array_equal(three.classes, one.classes)
    np.testing.assert_allclose(three.losses, one.losses, rtol=1e-12)


def test_a_logit_that_is_not_finite_stops_it():
    with pytest.raises(TrainingError, match="not finite"):
        average([noise(1), np.full((NUM, 10, 6), np.inf, np.float32)], np.zeros(NUM, int))


@pytest.mark.parametrize("replicas", [1, 2])
def test_each_network_scores_as_it_does_alone(replicas, request):
    strategy = make_strategy([]) if replicas == 1 else request.getfixturevalue("two_replicas")
    split = MemorySplit(images(NUM, 16), 48, CLASSES)
    with strategy.scope():
        classifiers = [classifier_of_six(faithful=False, seed=seed) for seed in (2, 3)]
    seen: list[int] = []
    how = {"batch_size": 4, "strategy": strategy}
    each, together = evaluate_together(classifiers, split, advance=seen.append, **how)
    alone = [
        evaluate(classifier, split, advance=lambda _: None, **how).predictions["ten_crop"] for classifier in classifiers
    ]
    for mine, reference in zip(each, alone, strict=True):
        np.testing.assert_array_equal(mine.losses, reference.losses)
    mean = np.mean([reference.label_probabilities for reference in alone], axis=0)
    np.testing.assert_allclose(together.label_probabilities, mean, rtol=1e-5)
    assert not np.array_equal(each[0].losses, each[1].losses)
    assert seen == [4, 4, 3]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (MemorySplit(images(3, 16), 48), r"knows 6 classes .* holds 3 .* train the model on these records"),
        (
            MemorySplit(images(3, 48), 48, CLASSES),
            "stored at 16, but .* stored at 48: train the model on these records",
        ),
    ],
)
def test_networks_of_other_classes_or_sizes_are_not_averaged(split, message):
    with pytest.raises(DataError, match=message):
        evaluate_together(
            [classifier_of_six(faithful=False)], split, batch_size=4, strategy=make_strategy([]), advance=print
        )
