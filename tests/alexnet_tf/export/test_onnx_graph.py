import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf

from alexnet_tf.export import onnx_graph
from tests.alexnet_tf.export.test_tflite import make_classifier
from tests.alexnet_tf.small_training import alexnet, alexnet_bn, four_layer, images

LOUD = {
    "weight_stddev": [0.1, 0.15, 0.15, 0.2, 0.2, 0.3, 0.3, 0.3],
    "lrn_alpha": 0.01,
}  # so that images and norms count
NETWORKS = {
    "two towers": (alexnet(**LOUD), 63),
    "the 2012 code": (alexnet(**LOUD, lrn_order="before_relu", same_map_normalization=True), 67),
    "norm over both towers": (alexnet(**LOUD, lrn_scope="layer", lrn_size=3), 64),
    "one tower, tanh, paired pools": (
        alexnet(**LOUD, towers=1, activation="tanh", pooling="paired", dropout_scaling="in_training", lrn=False),
        63,
    ),
    "without conv3": (alexnet(**LOUD, left_out="conv3"), 63),
    "without conv5": (alexnet(**LOUD, left_out="conv5"), 63),
    "batch norm": (alexnet_bn(activation="relu", batch_norm_scale=True, conv1_stride=2), 45),
    "whitening, GELU": (alexnet_bn(conv1="whitening", kernel_sizes=[2, 3, 3, 3, 3], activation="gelu"), 31),
    "pools after norms, a pool before fc6": (
        alexnet_bn(pool_order="after_norm", pools=[1, 2, 1, 1, 1], kernel_sizes=[3, 5, 3, 1, 3], logit_scale=0.5),
        33,
    ),
    "four layers": (four_layer(lrn_alpha=0.01), 24),
    "four layers, pool before norm": (four_layer(lrn_alpha=0.01, lrn_order="after_pool"), 21),
}


def answer(content, crops):
    return onnxruntime.InferenceSession(content).run(["logits"], {"images": crops})[0]


FAST = ("the 2012 code", "whitening, GELU", "four layers")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in NETWORKS]
)
def test_every_kind_of_network_answers_as_ours(name):
    spec, crop = NETWORKS[name]
    classifier = make_classifier(spec, crop)
    crops = images(3, crop).astype(np.float32) + 0.25  # enlarged images are no whole numbers
    expected = classifier.model(classifier.views.centred(crops), training=False).numpy()
    received = answer(onnx_graph.convert(classifier), crops)
    assert np.abs(received - expected).max() < 1e-5 * np.abs(expected).max()
    assert np.ptp(expected, axis=0).min() > 1e-2 * np.abs(expected).max()  # not biases alone


def test_towers_are_groups_and_norms_are_lrn():
    graph = onnx.load_from_string(onnx_graph.convert(make_classifier(alexnet(), 63))).graph
    groups = {
        node.name: next(each.i for each in node.attribute if each.name == "group")
        for node in graph.node
        if node.op_type == "Conv"
    }
    assert groups == {"conv1": 1, "conv2": 2, "conv3": 1, "conv4": 2, "conv5": 2}
    norms = [node for node in graph.node if node.op_type == "LRN"]
    assert [node.name for node in norms] == [f"norm{layer}/tower{tower}" for layer in (1, 2) for tower in (0, 1)]
    alphas = {each.f for node in norms for each in node.attribute if each.name == "alpha"}
    assert alphas == {np.float32(5 * 1e-4)}  # ONNX divides it by the window


def test_a_batch_of_any_size_is_taken():
    content = onnx_graph.convert(make_classifier(alexnet_bn(), 32))
    crops = images(7, 32).astype(np.float32)
    together = answer(content, crops)
    np.testing.assert_allclose(together, np.concatenate([answer(content, crop[None]) for crop in crops]), rtol=1e-5)


def test_equal_bytes_and_class_names_and_no_trace_of_the_process():
    content = onnx_graph.convert(make_classifier(alexnet_bn(), 32))
    tf.keras.layers.Flatten()  # Keras counts layers in the process
    assert onnx_graph.convert(make_classifier(alexnet_bn(), 32)) == content
    made = onnx.load_from_string(content)
    assert {each.key: each.value for each in made.metadata_props} == {"class_names": '["ash", "elm", "fir"]'}
    assert (made.ir_version, made.opset_import[0].version) == (8, 17)


@pytest.mark.slow
def test_a_bfloat16_network_is_written_from_its_master_weights():
    whole, half = (make_classifier(alexnet_bn(), 32, precision=each) for each in ("float32", "bfloat16"))
    assert onnx_graph.convert(half) == onnx_graph.convert(whole)
