"""A trained network as a TensorFlow Lite file with half-precision weights, and how far its answers moved.

The file has one signature, `serving_default`. It takes `images` (1, crop, crop, 3) float32, RGB, 0..255: the centre
crop of an image that was prepared as for the pipeline; the mean and the divisor are inside. It returns `logits` (1, K)
float32. Weights are stored as float16, the arithmetic is float32.
"""

import warnings
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from alexnet_tf.export import agreement
from alexnet_tf.models import networks
from alexnet_tf.models.alexnet_bn import AlexNetBN

if TYPE_CHECKING:
    from alexnet_tf.models.classifier import Classifier

# Shares of the largest logit. float16 keeps 11 bits of a weight; a bfloat16 network was trained with 8 of each product.
TOLERANCES = {"float32": 1e-2, "bfloat16": 5e-2}


def convert(classifier: "Classifier") -> bytes:
    """Return the TensorFlow Lite file of a network, of equal bytes for equal classifiers.

    A network of precision `bfloat16` is converted from its float32 master weights and computes in float32.
    """
    spec, classes = classifier.model.spec, len(classifier.class_names)
    model = networks.build(spec, crop_size=classifier.crop_size, num_classes=classes, precision="float32")
    if isinstance(model, AlexNetBN) and spec.activation == "gelu":
        for each in (model, *model.norms):
            each.activation = "gelu_as_swish"
    model.flatten.name = "flatten"  # Keras counts such layers in the process, and the file holds the name
    trained, fixed = (
        [variable.numpy() for variable in variables]
        for variables in (classifier.model.trainable_variables, classifier.model.non_trainable_variables)
    )
    pixels = tf.TensorSpec([1, classifier.crop_size, classifier.crop_size, 3], tf.float32, name="images")

    def answer(images):
        # As constants: the converter of TensorFlow 2.21 loses Keras' variables and answers NaN.
        weights = [tf.constant(each) for each in trained], [tf.constant(each) for each in fixed]
        answered: Any = model.stateless_call(*weights, classifier.views.centred(images), training=False)
        return {"logits": answered[0]}

    function = tf.function(answer, autograph=False, input_signature=[pixels]).get_concrete_function()
    # The module holds nothing; without one the converter forgets the names of the signature.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module(name="alexnet"))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


def measure(content: bytes, classifier: "Classifier", images: agreement.Images) -> dict[str, Any]:
    """Compare the answers of a TensorFlow Lite file with those of the network it was made of, on the CPU.

    Args:
        content: The file.
        classifier: What was converted; it answers in the precision that it was trained in.
        images: Those of which `agreement.MAX_IMAGES` at most are used, evenly spaced.

    Returns:
        For JSON, as of `agreement.measured`.

    Raises:
        AlexNetError: The difference is more than rounding explains.
    """
    runner = _interpreter(content).get_signature_runner("serving_default")
    return agreement.measured(
        content,
        classifier,
        images,
        lambda batches: (runner(images=crop[None])["logits"] for crops in batches for crop in crops),
        tolerances=TOLERANCES,
        what="the TensorFlow Lite file",
        switch="export.tflite of this variant to none",
    )


def _interpreter(content: bytes) -> tf.lite.Interpreter:
    with warnings.catch_warnings():
        # TensorFlow 2.21 still has its interpreter and says that it will go; the file itself is for any other.
        warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated", UserWarning)
        return tf.lite.Interpreter(model_content=content, num_threads=1)  # one: sums in one order
