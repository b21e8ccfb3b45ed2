import pytest

from alexnet_tf.errors import AlexNetError
from alexnet_tf.export import agreement, onnx_check, onnx_graph
from tests.alexnet_tf.export.test_tflite import bn_classifier, split


@pytest.fixture(scope="module")
def classifier():
    return bn_classifier()


@pytest.fixture(scope="module")
def content(classifier):
    return onnx_graph.convert(classifier)


def test_a_fresh_process_gives_the_same_logits_batch_by_batch(classifier, content, monkeypatch):
    monkeypatch.setattr(agreement, "BATCH", 4)
    found = onnx_check.measure(content, classifier, split(classifier))
    assert (found["images"], found["of"], found["bytes"], found["top1_agreement"]) == (9, 9, len(content), 1.0)
    assert 0 < found["max_logit_difference"] < 1e-5 * found["largest_logit"]


def test_a_file_of_another_model_is_found_out(content):
    other = bn_classifier(seed=2)
    with pytest.raises(
        AlexNetError, match=r"logits differ by .* nothing was exported\. Set export\.onnx of this variant"
    ):
        onnx_check.measure(content, other, split(other))


def test_a_file_that_the_runtime_refuses_is_one_sentence(classifier, content):
    renamed = content.replace(b"Sigmoid", b"Sigmund")  # an operator that there is not
    with pytest.raises(
        AlexNetError, match=r"onnxruntime refuses the ONNX file in a fresh process \(.*Sigmund.*\)"
    ) as told:
        onnx_check.measure(renamed, classifier, split(classifier))
    assert "\n" not in str(told.value)


def test_a_missing_extra_is_named_with_its_install(monkeypatch):
    onnx_check.require_packages()
    monkeypatch.setattr(onnx_check, "find_spec", lambda name: None if name == "onnxruntime" else object())
    with pytest.raises(AlexNetError, match=r"needs onnxruntime: .*pip install 'WHEEL\[onnx\]'`., or set it to false"):
        onnx_check.require_packages()
