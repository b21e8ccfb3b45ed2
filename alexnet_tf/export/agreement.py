"""How far the answers of an exported file are from those of the network that it was made of."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import tensorflow as tf

from alexnet_tf.data.evenly_spaced import evenly_spaced
from alexnet_tf.errors import AlexNetError

if TYPE_CHECKING:
    from alexnet_tf.models.classifier import Classifier

MAX_IMAGES = 500
BATCH = 50


class Images(Protocol):
    """What is asked of a split of images; `record_dataset.RecordDataset` is one."""

    @property
    def num_examples(self) -> int:
        """N."""
        ...

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Return images by position, (B, stored, stored, 3) uint8."""
        ...


def answers(classifier: "Classifier", images: Images) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give centre crops of at most `MAX_IMAGES` images, evenly spaced, with the network's logits, batch by batch.

    Args:
        classifier: It answers on the CPU, in the precision that it was trained in.
        images: Where the crops are from.

    Yields:
        (B, crop, crop, 3) float32, 0..255, and (B, K) float32.
    """
    chosen = evenly_spaced(images.num_examples, MAX_IMAGES)
    network = classifier.compiled()
    for first in range(0, len(chosen), BATCH):
        with tf.device("CPU:0"):
            crops = classifier.views.center_crop(images.read(chosen[first : first + BATCH]))
            logits = network(classifier.views.centred(crops)).numpy()
        yield crops.numpy(), logits


def measured(
    content: bytes,
    classifier: "Classifier",
    images: Images,
    ask: Callable[[Iterable[np.ndarray]], Iterable[np.ndarray]],
    *,
    tolerances: Mapping[str, float],
    what: str,
    switch: str,
) -> dict[str, Any]:
    """Compare the file's logits with the network's, and refuse a difference that rounding does not explain.

    Args:
        content: The exported file.
        classifier: As for `answers`.
        images: Those of which `MAX_IMAGES` at most are used, evenly spaced.
        ask: Gives the file's logits of batches of crops (B, crop, crop, 3), in their order: arrays (n, K) float32 of
            any n.
        tolerances: Precision of the training -> share of the largest logit that is allowed.
        what: Names the file in the error.
        switch: Ends "Set ...": which parameter leaves the file out.

    Returns:
        For JSON: `images` used and `of`, `bytes`, `max_logit_difference`, `largest_logit` (absolute values, rounded to
        three digits) and `top1_agreement`, the share of images whose most probable class is the same.

    Raises:
        AlexNetError: The difference is larger than allowed.
    """
    logits: list[np.ndarray] = []

    def crops() -> Iterator[np.ndarray]:
        for batch, answered in answers(classifier, images):
            logits.append(answered)
            yield batch

    received = np.concatenate(list(ask(crops())))
    expected = np.concatenate(logits)
    difference, largest = float(np.abs(received - expected).max()), float(np.abs(expected).max())
    allowed = tolerances[classifier.precision] * max(largest, 1e-6)
    if not difference <= allowed:  # not a number is no difference that is allowed
        raise AlexNetError(
            f"{what} and the trained model give different results: logits differ by {difference:.2g},"
            f" at most {allowed:.2g} is allowed; nothing was exported. Set {switch}, and please report this with the"
            " versions that `alexnet doctor` prints."
        )
    return {
        "images": len(expected),
        "of": images.num_examples,
        "bytes": len(content),
        "max_logit_difference": float(f"{difference:.3g}"),
        "largest_logit": float(f"{largest:.3g}"),
        "top1_agreement": float(np.mean(received.argmax(axis=1) == expected.argmax(axis=1))),
    }
