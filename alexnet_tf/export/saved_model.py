"""A trained model as a SavedModel that takes image files: preprocessing, views and class names are inside.

Signatures `ten_crop` (also the default) and `center` take `images`, encoded files (N,) string: JPEG, PNG, and the kinds
of BMP and GIF that `alexnet_tf.export.decode` names; others are refused, WebP and TIFF among them, which training
reads. Squares are not saved as JPEG in between, as `preprocess.encoding: jpeg` does. They return

- `probabilities` (N, K) float32: the softmax, of `ten_crop` its mean over the ten views (§4.1);
- `top_classes` (N, k) string and `top_probabilities` (N, k) float32, best first, k = min(5, K);
- `logits` float32: (N, K) of `center`, (N, 10, K) of `ten_crop`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from alexnet_tf.export.decode import decode

if TYPE_CHECKING:
    from alexnet_tf.models.classifier import Classifier


class Server(tf.Module):
    """The functions behind the signatures, and the variables that they use."""

    def __init__(self, classifier: "Classifier"):
        super().__init__(name="alexnet")
        self.weights = list(classifier.model.variables)  # found by the saver; the functions hold no other state
        images = tf.TensorSpec([None], tf.string, name="images")
        names = np.array([name.encode() for name in classifier.class_names])

        def center(images):
            logits = classifier.model(classifier.views.center(_squares(classifier.stored_size, images)), training=False)
            return _answer(logits, tf.nn.softmax(logits), names)

        def ten_crop(images):
            views = classifier.views.ten(_squares(classifier.stored_size, images))
            flat = tf.reshape(views, [-1, *views.shape[2:]])
            logits = tf.reshape(classifier.model(flat, training=False), [-1, 10, len(names)])
            return _answer(logits, tf.reduce_mean(tf.nn.softmax(logits), axis=1), names)

        self.center = tf.function(center, autograph=False, input_signature=[images])
        self.ten_crop = tf.function(ten_crop, autograph=False, input_signature=[images])


def save(classifier: "Classifier", folder: Path) -> None:
    """Write a SavedModel of equal bytes for equal classifiers, as far as TensorFlow lets us.

    The fingerprint, which holds a random number, is left out; nothing but a log line depends on it. The graph
    is written again with its maps in order.
    """
    server = Server(classifier)
    signatures = {
        "serving_default": server.ten_crop,
        "ten_crop": server.ten_crop,
        "center": server.center,
    }
    tf.saved_model.save(server, str(folder), signatures=signatures)
    (folder / "fingerprint.pb").unlink(missing_ok=True)
    graph = folder / "saved_model.pb"
    message = saved_model_pb2.SavedModel.FromString(graph.read_bytes())
    graph.write_bytes(message.SerializeToString(deterministic=True))


def to_square(pixels: tf.Tensor, size: int) -> tf.Tensor:
    """Scale the short side to `size` with antialiasing and keep the central square, as `images.to_square`.

    Pillow rounds to whole numbers between its two passes, TensorFlow only at the end: they differ by a grey
    level at most. A square image of the right size comes back as it is.

    Args:
        pixels: (H, W, 3) uint8.
        size: Pixels.

    Returns:
        (size, size, 3) uint8.
    """
    sides = tf.cast(tf.shape(pixels)[:2], tf.float32)
    scale = size / tf.reduce_min(sides)
    scaled = tf.raw_ops.ScaleAndTranslate(
        images=pixels[None],
        size=[size, size],
        scale=tf.stack([scale, scale]),
        translation=-(sides - tf.reduce_min(sides)) / 2 * scale,
        kernel_type="triangle",
        antialias=True,
    )
    return tf.cast(tf.clip_by_value(tf.round(scaled[0]), 0, 255), tf.uint8)


def _squares(side: int, images: tf.Tensor) -> tf.Tensor:
    return tf.map_fn(
        lambda encoded: to_square(decode(encoded), side),
        images,
        fn_output_signature=tf.TensorSpec([side, side, 3], tf.uint8),
    )


def _answer(logits: tf.Tensor, probabilities: tf.Tensor, names: np.ndarray) -> dict[str, tf.Tensor]:
    best, classes = tf.math.top_k(probabilities, min(5, len(names)))
    return {
        "probabilities": probabilities,
        "top_classes": tf.gather(tf.constant(names), classes),
        "top_probabilities": best,
        "logits": logits,
    }
