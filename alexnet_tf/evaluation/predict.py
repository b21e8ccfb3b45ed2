"""What a trained model says of any image files, prepared as the stages prepare them."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from alexnet_tf.data.images import decode, to_square
from alexnet_tf.evaluation.evaluate import ten_view_logits, top_classes
from alexnet_tf.metrics.top_k import require_finite
from alexnet_tf.models.classifier import Classifier
from alexnet_tf.models.views import center_logits


def stored_image(encoded: bytes, *, stored_size: int, max_pixels: int, exif_orientation: bool) -> np.ndarray:
    """Decode a file and make it a square, as `preprocess` does: (stored, stored, 3) uint8.

    What `preprocess` may do then, storing the square as JPEG, is not done.

    Args:
        encoded: The file's bytes.
        stored_size: Pixels.
        max_pixels: As in `decode`.
        exif_orientation: Turn the image as its EXIF orientation says; `preprocess` does not.

    Raises:
        ImageRejected: It is no image, broken, or has more than `max_pixels` pixels; nothing was decoded then.
    """
    image = decode(encoded, max_pixels=max_pixels, exif_orientation=exif_orientation)
    return np.asarray(to_square(image, stored_size))


Predictor = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def predictor(classifier: Classifier, *, ten_crop: bool) -> Predictor:
    """Return a function that names the most probable classes of stored images.

    Args:
        classifier: The model.
        ten_crop: Average the probabilities of ten views (§4.1), as in the tests; else the centre crop alone,
            at a tenth of the work.

    Returns:
        A function from (n, stored, stored, 3) uint8 to classes (n, k) int32 and probabilities (n, k) float32,
        best first, k = min(5, K). It raises a `TrainingError` where the model's outputs are not finite.
    """
    side = classifier.stored_size

    def forward(images):
        if ten_crop:
            return ten_view_logits(classifier, images)
        return center_logits(classifier.model, classifier.views, images)

    compiled = tf.function(forward, autograph=False, input_signature=[tf.TensorSpec([None, side, side, 3], tf.uint8)])

    def predict(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits = compiled(tf.constant(images)).numpy()
        require_finite(logits)
        return top_classes(logits)

    return predict
