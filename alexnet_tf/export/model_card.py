"""What a person who meets an exported model should know, as Markdown made of its numbers."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from alexnet_tf.text_tables import markdown_table
from alexnet_tf.wording import error_with_interval

if TYPE_CHECKING:
    from alexnet_tf.models.classifier import Classifier
    from alexnet_tf.models.networks import Model


def model_card(
    classifier: "Classifier",
    metrics: Mapping[str, Any],
    *,
    tflite: Mapping[str, Any] | None = None,
    onnx: Mapping[str, Any] | None = None,
) -> str:
    """Describe an exported model.

    Args:
        classifier: The model with its preprocessing and class names.
        metrics: Of its evaluation, as metrics.json holds them.
        tflite: Of its TensorFlow Lite file, as `tflite.measure` returns them, where there is one.
        onnx: Of its ONNX file, as `onnx_check.measure` returns them, where there is one.

    Returns:
        Markdown, the same for the same numbers.
    """
    rows = [
        (
            label,
            error_with_interval(metrics[view], error),
        )
        for view, error, label in (
            ("ten_crop", "top1_error", "top-1, ten crops"),
            ("ten_crop", "top5_error", "top-5, ten crops"),
            ("center", "top1_error", "top-1, centre crop"),
            ("center", "top5_error", "top-5, centre crop"),
        )
        if error in metrics[view]
    ]
    names = [_code(name) for name in classifier.class_names]
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    size, crop_size = classifier.size, classifier.crop_size
    enlarged = "" if classifier.stored_size == size else f", enlarged to {size} × {size}"
    return "\n".join(
        [
            f"# {classifier.model.name}",
            "",
            "An image classifier after Krizhevsky, Sutskever and Hinton, *ImageNet Classification with Deep"
            " Convolutional Neural Networks*, 2012.",
            "",
            f"- Parameters: {_parameters(classifier.model)}",
            f"- Classes: {len(names)} ({shown})",
            f"- Input: an image file; its short side is scaled to {classifier.stored_size} pixels with"
            f" antialiasing, the central square kept{enlarged}, views of {crop_size} ×"
            f" {crop_size} pixels cut out{_bordered(classifier)}.",
            "",
            f"## Errors on {metrics['num_examples']:,} test images, with 95 % intervals",
            "",
            markdown_table([("error", "value"), *rows]),
            "",
            "## Use",
            "",
            "```python",
            "import tensorflow as tf",
            "",
            'model = tf.saved_model.load("saved_model")',
            'answer = model.signatures["ten_crop"](images=tf.constant([open("image.jpg", "rb").read()]))',
            'print(answer["top_classes"], answer["top_probabilities"])',
            "```",
            "",
            "The signature `center` does a tenth of the work. The model names one of its classes for any"
            " image, also for one that shows none of them; EXIF orientation is ignored, as in training. The errors"
            " above are for images like the test images; noisy or blurred ones, and ones of about"
            f" {classifier.stored_size} pixels that were saved again as JPEG, were not measured.",
            "",
            "It reads JPEG, PNG, BMP of 24 or 32 bits a pixel, and GIF whose first frame fills the canvas and is"
            " opaque; others are refused, WebP and TIFF among them, which training reads.",
            "",
            "`model.keras` is the network alone, for further training: crops of (N,"
            f" {crop_size}, {crop_size}, 3) float32 in, RGB, 0 to 255 {_centred(classifier)}; logits out. It"
            " needs the package alexnet_tf:",
            "",
            "```python",
            "import alexnet_tf as an",
            "import keras",
            "",
            'network = keras.saving.load_model("model.keras", custom_objects=an.custom_objects())',
            "```",
            "",
            *(_tflite_section(classifier, tflite) if tflite else ()),
            *(_onnx_section(classifier, onnx) if onnx else ()),
        ]
    )


def _bordered(classifier: "Classifier") -> str:
    border = classifier.views.spec.test_border
    if not border:
        return ""
    return f"; the ten views come from the square with a mirrored border of {border} pixel{'s' if border > 1 else ''}"


def _code(name: str) -> str:
    """Write a name, whose letters may mean something to Markdown or HTML, as code."""
    fence = "`" * (1 + max(map(len, re.findall("`+", name)), default=0))
    return f"{fence} {name} {fence}" if "`" in name else f"{fence}{name}{fence}"


def _parameters(model: "Model") -> str:
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    total = model.count_params()
    return f"{total:,}" + (f", of which {trainable:,} trainable" if trainable < total else "")


def _centred(classifier: "Classifier") -> str:
    mean = classifier.views.mean
    numbers = (
        f"means {', '.join(f'{each:.2f}' for each in mean)}"
        if mean.ndim == 1
        else "mean image, whose centre is in mean.npy"
    )
    divided = "" if classifier.views.spec.divide_by == 1 else f", divided by {classifier.views.spec.divide_by:g}"
    return f"minus the training images' {numbers}{divided}"


def _tflite_section(classifier: "Classifier", measured: Mapping[str, Any]) -> list[str]:
    holds = (
        f"`model.tflite` ({_megabytes(measured)}) holds the network alone, with float16 weights and float32 arithmetic"
    )
    return _network_section("TensorFlow Lite", holds, ("one image", "1"), classifier, measured)


def _onnx_section(classifier: "Classifier", measured: Mapping[str, Any]) -> list[str]:
    example = [
        "```python",
        "import onnxruntime",
        "",
        'session = onnxruntime.InferenceSession("model.onnx")',
        'logits = session.run(["logits"], {"images": crops})[0]',
        "```",
        "",
    ]
    holds = f"`model.onnx` ({_megabytes(measured)}, float32) holds the network alone"
    return _network_section(
        "ONNX", holds, ("a batch of any size", "N"), classifier, measured, example=example, where=" in onnxruntime"
    )


def _network_section(
    title: str,
    holds: str,
    batch: tuple[str, str],
    classifier: "Classifier",
    measured: Mapping[str, Any],
    *,
    example: Sequence[str] = (),
    where: str = "",
) -> list[str]:
    """Describe a file that has the network alone; `batch` says how many images it takes, in words and in the shape."""
    side = classifier.crop_size
    return [
        f"## {title}",
        "",
        f"{holds}. Its input `images` is {batch[0]}, ({batch[1]}, {side}, {side}, 3) float32, RGB, 0 to 255:"
        f" {_crops(classifier)}. It returns `logits`, in the order of class_names.txt.",
        "",
        *example,
        _agreement(measured, where),
        "",
    ]


def _megabytes(measured: Mapping[str, Any]) -> str:
    return f"{measured['bytes'] / 1e6:.1f} MB"


def _crops(classifier: "Classifier") -> str:
    size, side = classifier.size, classifier.crop_size
    enlarged = "" if classifier.stored_size == size else f", enlarged to {size} × {size} bilinearly"
    return f"short side scaled to {classifier.stored_size} pixels{enlarged}, the central {side} × {side} pixels cut out"


def _agreement(measured: Mapping[str, Any], where: str) -> str:
    which = f"{measured['images']:,} of the {measured['of']:,} test images, evenly spaced"
    if measured["images"] == measured["of"]:
        which = f"all {measured['of']:,} test images"
    return (
        f"On {which}, its logits{where} are within {measured['max_logit_difference']:.3g} of the trained network's on"
        f" the same crops, the largest of which is {measured['largest_logit']:.3g}; the most probable class is the same"
        f" on {100 * measured['top1_agreement']:.1f} %."
    )
