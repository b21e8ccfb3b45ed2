"""How test errors are counted: top-1 and top-5 with fractional ties, centre crop and mean of ten crops."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from alexnet_tf.errors import ConfigError, TrainingError
from alexnet_tf.metrics.significance import wilson_interval

CENTER = 4  # of the ten views, the centre crop as it is (four corners, centre, then their mirrors)
VIEWS = ("center", "ten_crop")  # in the order of files
VIEW_NAMES = {"ten_crop": "ten crops", "center": "centre crop"}  # in the order of tables
CONFIDENCE = 0.95  # of the intervals in an evaluation's own metrics


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn logits (..., K) into float32 probabilities (..., K) that sum to 1."""
    shifted = logits.astype(np.float32) - logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted, dtype=np.float32)
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def top_k_scores(probabilities: np.ndarray, labels: np.ndarray, *, k: int) -> np.ndarray:
    """Score each image by the chance that its label is among the k best when ties are broken at random.

    As the 2012 code does (`layer_kernels.cu`): with b classes above the label's probability and e at it, the
    label itself included, the score is (k - b) / e, held within 0 and 1. A constant predictor scores k / K.

    Args:
        probabilities: (N, K) float32.
        labels: (N,) int, 0..K-1.
        k: How many classes may be named, 1..K.

    Returns:
        (N,) float64 in [0, 1]; anything but 0 and 1 is a tie across the k-th place.

    Raises:
        ConfigError: k is below 1 or above K.
    """
    num_classes = probabilities.shape[1]
    if not 1 <= k <= num_classes:
        raise ConfigError(
            f"A top-{k} error needs k from 1 to the number of classes, here {num_classes}: choose such a k."
        )
    own = np.take_along_axis(probabilities, labels[:, None].astype(np.intp), axis=1)
    above = np.count_nonzero(probabilities > own, axis=1)
    equal = np.count_nonzero(probabilities == own, axis=1)
    return np.clip((k - above) / equal, 0.0, 1.0)


def error_of(scores: np.ndarray) -> float:
    """Return the error of images with these scores, a fraction: one rounding, so that 78 wrong of 100 are 0.78."""
    return (len(scores) - math.fsum(scores)) / len(scores)


def reported_ks(num_classes: int) -> tuple[int, ...]:
    """Say which top-k errors exist: top-1 and, of more than five classes, top-5 (else it is 0 for any model)."""
    return (1, 5) if num_classes > 5 else (1,)


@dataclass(frozen=True)
class Predictions:
    """What a model says of N images in one way of looking (centre crop, or ten crops).

    Attributes:
        classes: (N,) int32, the class with the highest probability.
        probabilities: (N,) float32, that class's probability.
        label_probabilities: (N,) float32, the true class's probability.
        losses: (N,) float64, minus the log of the true class's probability, nats.
        scores: k -> (N,) float64, see `top_k_scores`.
    """

    classes: np.ndarray
    probabilities: np.ndarray
    label_probabilities: np.ndarray
    losses: np.ndarray
    scores: dict[int, np.ndarray]

    def correct(self, k: int) -> np.ndarray:
        """(N,) bool: whether the label is among the k best however ties are broken."""
        return self.scores[k] == 1.0

    def error(self, k: int) -> float:
        """Top-k error, a fraction in [0, 1]."""
        return error_of(self.scores[k])

    def metrics(self) -> dict[str, float]:
        """Errors with their 95 % Wilson intervals, and the mean loss in nats."""
        values = {"mean_loss": math.fsum(self.losses) / len(self.losses)}
        for k in self.scores:
            name, error = f"top{k}_error", self.error(k)
            values[name] = error
            low, high = wilson_interval(error, len(self.scores[k]), confidence=CONFIDENCE)
            values |= {f"{name}_low": low, f"{name}_high": high}
        return values


def score_views(logits: np.ndarray, labels: np.ndarray) -> dict[str, Predictions]:
    """Score a batch both ways from the same ten forward passes.

    Ten crops are averaged as probabilities, not logits (§4.1 and the 2012 code's `LogregCostLayer`).

    Args:
        logits: (N, 10, K) float32, the ten views in the classifier's order.
        labels: (N,) int, 0..K-1.

    Returns:
        `center` and `ten_crop`.

    Raises:
        TrainingError: A logit is not finite.
    """
    require_finite(logits)
    views = softmax(logits)
    log_own = _log_label_probabilities(logits, labels)
    best = log_own.max(axis=1)
    ten_crop_loss = -(best + np.log(np.exp(log_own - best[:, None]).mean(axis=1)))
    return {
        "center": _score(views[:, CENTER], labels, -log_own[:, CENTER]),
        "ten_crop": _score(views.mean(axis=1, dtype=np.float32), labels, ten_crop_loss),
    }


def require_finite(logits: np.ndarray) -> None:
    """Check a model's outputs, of any shape.

    Raises:
        TrainingError: A logit is not finite.
    """
    if not np.isfinite(logits).all():
        raise TrainingError(
            "The model gives logits that are not finite; it diverged in training: train it again with a lower"
            " learning rate."
        )


def _log_label_probabilities(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the logs (N, V) float64 of the labels' probabilities, exact where these are 0 in float32."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=-1, keepdims=True)
    own = np.take_along_axis(wide, labels[:, None, None].astype(np.intp), axis=2)[..., 0]
    return own - np.log(np.exp(wide).sum(axis=-1))


def _score(probabilities: np.ndarray, labels: np.ndarray, losses: np.ndarray) -> Predictions:
    rows = np.arange(len(labels))
    classes = probabilities.argmax(axis=1)
    return Predictions(
        classes=classes.astype(np.int32),
        probabilities=probabilities[rows, classes],
        label_probabilities=probabilities[rows, labels],
        losses=losses,
        scores={k: top_k_scores(probabilities, labels, k=k) for k in reported_ks(probabilities.shape[1])},
    )


def join(batches: list[Predictions]) -> Predictions:
    """Put batches one after the other."""
    return Predictions(
        classes=np.concatenate([batch.classes for batch in batches]),
        probabilities=np.concatenate([batch.probabilities for batch in batches]),
        label_probabilities=np.concatenate([batch.label_probabilities for batch in batches]),
        losses=np.concatenate([batch.losses for batch in batches]),
        scores={k: np.concatenate([batch.scores[k] for batch in batches]) for k in batches[0].scores},
    )


def score_center(batches: Iterable[np.ndarray], labels: np.ndarray) -> list[Predictions]:
    """Score centre crops alone, as training does after every epoch; of the logits one batch is in memory.

    Args:
        batches: (n, 1, K) float32 logits, batch after batch in the order of `labels`.
        labels: (N,) int, 0..K-1; there may be fewer logits.

    Returns:
        One entry a batch, for `join`.

    Raises:
        TrainingError: A logit is not finite.
    """
    scored, start = [], 0
    for batch in batches:
        require_finite(batch)
        own_labels = labels[start : start + len(batch)]
        log_own = _log_label_probabilities(batch, own_labels)
        scored.append(_score(softmax(batch[:, 0]), own_labels, -log_own[:, 0]))
        start += len(batch)
    return scored
