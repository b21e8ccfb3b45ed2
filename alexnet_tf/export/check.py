"""Proof that an exported model says what the trained one says, in a process that lacks this project."""

import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
from PIL import Image

from alexnet_tf.errors import AlexNetError
from alexnet_tf.export import fresh_process, standalone
from alexnet_tf.metrics.top_k import VIEWS

if TYPE_CHECKING:
    from alexnet_tf.models.classifier import Classifier

# Of a probability against the evaluation's, which may have run in other batches and on another device.
PROBABILITY_BOUNDS = {"float32": 1e-3, "bfloat16": 0.1}


def compare_in_fresh_process(
    saved_model: Path, classifier: "Classifier", images: np.ndarray, recorded: Sequence[Mapping[str, str]] | None = None
) -> float:
    """Ask both for the logits of the same images, logit by logit, on the CPU.

    Args:
        saved_model: The exported folder.
        classifier: What was exported.
        images: (N, stored, stored, 3) uint8; sent as PNG files, which the resizing inside leaves as they are.
        recorded: What the evaluation said of them, a row of its predictions.csv each; None: nothing to hold against.

    Returns:
        The largest difference over the largest logit.

    Raises:
        AlexNetError: The fresh process failed, or a logit, a class name or a recorded probability differs.
    """
    answers = ask(saved_model, images)
    network = classifier.compiled()
    with tf.device("CPU:0"):
        views = classifier.views.ten(images)
        center = network(classifier.views.center(images)).numpy()
        ten_crop = network(tf.reshape(views, [-1, *views.shape[2:]])).numpy()
    ten_crop = ten_crop.reshape(len(images), 10, -1)
    tolerance = fresh_process.TOLERANCES[classifier.precision]
    largest = max(float(np.abs(center).max()), float(np.abs(ten_crop).max()), 1e-6)
    difference = 0.0
    for name, expected in (("center", center), ("ten_crop", ten_crop)):
        received = answers[f"{name}_logits"]
        apart = float(np.abs(received - expected).max()) / largest
        best = answers[f"{name}_probabilities"].argmax(axis=1)
        named = [answer.decode() for answer in answers[f"{name}_top_classes"][:, 0]]
        # Not a number is no difference that is allowed.
        if not apart <= tolerance or named != [classifier.class_names[index] for index in best]:
            raise AlexNetError(
                f"{saved_model}, loaded in a fresh process, gives different results from the trained model ({name}:"
                f" logits differ by {apart:.1e} of the largest, at most {tolerance:.0e} is allowed):"
                " nothing was exported; please report this with the versions that `alexnet doctor` prints."
            )
        difference = max(difference, apart)
    if recorded is not None:
        _require_recorded(saved_model, classifier, answers, recorded)
    return difference


def _require_recorded(
    saved_model: Path,
    classifier: "Classifier",
    answers: Mapping[str, np.ndarray],
    recorded: Sequence[Mapping[str, str]],
) -> None:
    """Hold the best class and its probability against those that the evaluation wrote."""
    bound = PROBABILITY_BOUNDS[classifier.precision]
    for view in VIEWS:
        for row, probabilities in zip(recorded, answers[f"{view}_probabilities"], strict=True):
            named = classifier.class_names.index(row[f"{view}_class"])
            expected, received = float(row[f"{view}_probability"]), float(probabilities[named])
            # Of two classes that are as close as that, either may be the best.
            if not (abs(received - expected) <= bound and received >= probabilities.max() - bound):
                raise AlexNetError(
                    f"{saved_model}, loaded in a fresh process, gives {row['key']} ({view}) a probability of"
                    f" {received:.4f} for {row[f'{view}_class']} and up to {probabilities.max():.4f} for a class; the"
                    f" evaluation found {row[f'{view}_class']} best, with {expected:.4f}: nothing was exported; run the"
                    " stage evaluate of this variant again."
                )


def ask(saved_model: Path, images: np.ndarray) -> dict[str, np.ndarray]:
    """Return every output of both signatures, as `center_logits` and so on, from a fresh process.

    Raises:
        AlexNetError: The process failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        asked, answers = Path(folder) / "images", Path(folder) / "answers.npz"
        asked.mkdir()
        for index, image in enumerate(images):
            (asked / f"{index:06}.png").write_bytes(png(image))
        reason = fresh_process.run(standalone, saved_model.resolve(), asked, answers, folder=Path(folder))
        if reason is not None:
            raise AlexNetError(
                f"{saved_model} cannot be loaded in a fresh process ({reason}): nothing was exported; please"
                " report this with the versions that `alexnet doctor` prints."
            )
        with np.load(answers) as arrays:
            return dict(arrays)


def png(image: np.ndarray) -> bytes:
    """Encode (H, W, 3) uint8 pixels without loss."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()
