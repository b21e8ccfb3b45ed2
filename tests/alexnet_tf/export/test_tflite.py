import dataclasses
import hashlib
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf.errors import AlexNetError
from alexnet_tf.export import agreement, tflite
from alexnet_tf.models.batch_norm import GELU_SLOPE
from alexnet_tf.models.classifier import Classifier
from alexnet_tf.models.networks import build
from alexnet_tf.models.views import Views
from tests.alexnet_tf.small_training import MemorySplit, alexnet, alexnet_bn, four_layer, images, input_spec

NAMES = ("ash", "elm", "fir")


def make_classifier(spec, crop, *, precision="float32", seed=1):
    """Three classes; images stored at half the size, a mean image that is not flat, statistics that are not 0 and 1."""
    size = crop + 5 - crop % 2
    mean = np.linspace(80, 120, crop * crop * 3, dtype=np.float32).reshape(crop, crop, 3)
    views = Views(input_spec(crop_size=crop, divide_by=64.0, mean="pixel"), size // 2, size, mean)
    model = build(spec, crop_size=crop, num_classes=3, seed=seed, precision=precision)
    generator = np.random.default_rng(seed)
    for variable in model.weights:
        if not variable.path.endswith("kernel"):
            variable.assign(np.abs(variable.numpy() + generator.normal(0, 0.1, variable.shape)))
    return Classifier(model, views, NAMES, precision)


def bn_classifier(**changes):
    spec = alexnet_bn(conv1="whitening", kernel_sizes=[2, 3, 3, 3, 3], activation="gelu", logit_scale=0.5)
    return make_classifier(spec, 31, **changes)


@pytest.fixture(scope="module")
def classifier():
    return bn_classifier()


@pytest.fixture(scope="module")
def content(classifier):
    return tflite.convert(classifier)


def split(classifier, count=9):
    return MemorySplit(images(count, classifier.stored_size), classifier.size)


def test_the_2012_network_answers_nearly_the_same():
    classifier = make_classifier(alexnet(weight_stddev=[0.05] * 8, lrn_order="before_relu"), 63)
    found = tflite.measure(tflite.convert(classifier), classifier, split(classifier))
    assert found["largest_logit"] > 0.1
    assert 0 < found["max_logit_difference"] < 2e-3 * found["largest_logit"]


def test_the_four_layer_network_answers_nearly_the_same():
    classifier = make_classifier(four_layer(weight_stddev=[0.05, 0.05, 0.1, 0.1, 0.1]), 24)
    found = tflite.measure(tflite.convert(classifier), classifier, split(classifier))
    assert found["largest_logit"] > 0.1
    assert 0 < found["max_logit_difference"] < 5e-3 * found["largest_logit"]


def test_the_optimized_network_answers_nearly_the_same(classifier, content):
    found = tflite.measure(content, classifier, split(classifier))
    assert (found["images"], found["of"], found["bytes"]) == (9, 9, len(content))
    assert 0 < found["max_logit_difference"] < 2e-3 * found["largest_logit"]
    assert found["top1_agreement"] == 1.0


def test_a_file_takes_grey_levels_and_needs_nothing_else(classifier, content):
    runner = tflite._interpreter(content).get_signature_runner()
    crop = np.float32(images(1, 31))
    expected = classifier.model((crop - classifier.views.mean) / 64.0, training=False)
    np.testing.assert_allclose(runner(images=crop)["logits"], expected, rtol=5e-3, atol=5e-3)


def test_weights_are_the_nearest_half_precision_numbers(classifier, content):
    kernel = classifier.model.dense[2].kernel.numpy().T  # TensorFlow Lite keeps (units, inputs)
    # The converter may put factors around fc8 into its kernel: GELU's before it, the logits' after it.
    scaled = kernel / np.float32(GELU_SLOPE) * classifier.model.spec.logit_scale
    assert any(each.astype(np.float16).tobytes() in content for each in (kernel, scaled))
    assert not any(each.tobytes() in content for each in (kernel, scaled))


def test_gelu_is_written_as_openvino_reads_it(content):
    """It takes z·σ(1.702 z) for a Swish whose factor it then refuses; so σ sees what it is multiplied with."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        interpreter = tf.lite.Interpreter(model_content=content)
    steps = [step for step in interpreter._get_ops_details() if step["op_name"] in ("LOGISTIC", "MUL")]
    sigmoids = [step for step in steps if step["op_name"] == "LOGISTIC"]
    products = [set(step["inputs"]) for step in steps if step["op_name"] == "MUL"]
    assert len(sigmoids) == 7
    assert all({*step["inputs"], *step["outputs"]} in products for step in sigmoids)


def test_at_most_so_many_images_are_used_evenly_spaced(classifier, content, monkeypatch):
    monkeypatch.setattr(agreement, "MAX_IMAGES", 4)
    monkeypatch.setattr(agreement, "BATCH", 3)
    asked = []
    whole = split(classifier, 10)

    class Noted:
        num_examples = 10

        def read(self, indices):
            asked.extend(indices)
            return whole.read(indices)

    found = tflite.measure(content, classifier, Noted())
    assert (found["images"], found["of"], asked) == (4, 10, [0, 2, 5, 7])


def test_the_network_answers_as_one_function(classifier, content, monkeypatch):
    """Called by itself it has TensorFlow trace the programs of its layers one by one, and warn of so many."""
    eagerly = []

    def watched(inputs, training):
        eagerly.append(tf.executing_eagerly())
        return classifier.model(inputs, training=training)

    monkeypatch.setattr(agreement, "BATCH", 4)
    tflite.measure(content, dataclasses.replace(classifier, model=watched), split(classifier))
    assert eagerly == [False, False]  # traced for whole batches and for the last


def test_a_file_of_another_model_is_found_out(content):
    other = bn_classifier(seed=2)
    with pytest.raises(AlexNetError, match=r"logits differ by .* at most .* nothing was exported\. Set export\.tflite"):
        tflite.measure(content, other, split(other))


def test_a_bfloat16_network_is_converted_from_its_master_weights(classifier, content):
    half = bn_classifier(precision="bfloat16")
    for ours, theirs in zip(half.model.weights, classifier.model.weights, strict=True):
        ours.assign(theirs.numpy())
    assert tflite.convert(half) == content  # also: equal bytes for equal weights
    assert tflite.measure(content, half, split(half))["max_logit_difference"] > 0


@pytest.mark.slow
def test_bytes_are_the_same_in_a_fresh_process(content, tmp_path):
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[3])!r})\n"
        "from tests.alexnet_tf.export.test_tflite import bn_classifier, tflite\n"
        "import hashlib; print(hashlib.sha256(tflite.convert(bn_classifier())).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == hashlib.sha256(content).hexdigest()


def test_the_network_itself_is_left_alone():
    own = bn_classifier(seed=3)
    x = tf.random.stateless_uniform((2, 31, 31, 3), (1, 2))
    before, weights = own.model(x).numpy(), [each.numpy() for each in own.model.weights]
    tflite.convert(own)
    np.testing.assert_array_equal(own.model(x), before)
    for left, right in zip(own.model.weights, weights, strict=True):
        np.testing.assert_array_equal(left, right)
