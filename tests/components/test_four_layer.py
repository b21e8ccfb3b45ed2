"""The four-layer network through the stages that take a trained network."""

import json

import numpy as np
import pytest

from components import export
from components.interfaces import Runtime
from tests.components import test_evaluate
from tests.components.test_export import GATE


@pytest.fixture
def model(tmp_path, monkeypatch):
    """An untrained network in tmp_path/model: crops of 24 pixels from images of 16, enlarged to 32."""
    from alexnet_tf.data import record_dataset
    from alexnet_tf.models.classifier import Classifier, write_classifier
    from alexnet_tf.models.networks import build
    from alexnet_tf.models.views import Views
    from tests.alexnet_tf.small_training import four_layer, input_spec

    monkeypatch.setattr(record_dataset, "RecordDataset", test_evaluate.Split)
    monkeypatch.setattr(test_evaluate.Split, "size", 32)
    views = Views(input_spec(crop_size=24, divide_by=64.0), 16, 32, np.float32([90, 100, 110]))
    network = build(four_layer(), crop_size=24, num_classes=6, seed=2)
    write_classifier(tmp_path / "model", Classifier(network, views, test_evaluate.CLASSES, "float32"))
    return network


@pytest.mark.slow
def test_it_is_evaluated_and_exported(model, tmp_path):
    import keras

    report = tmp_path / "evaluate"
    test_evaluate._run(report, tmp_path / "model", batch_size=4)
    written = {path.name for path in report.iterdir()}
    assert {"metrics.json", "conv1_kernels.png", "neighbours.png", "predictions.csv"} <= written
    (tmp_path / "champions").mkdir()
    inputs = export.Inputs(tmp_path / "model", report, tmp_path / "records", tmp_path / "champions")
    params = export.Params(
        gate=export.Gate(**GATE | {"max_top1_error": 1.0}), export=export.Package(tflite="float16", onnx=True)
    )
    # Loads the SavedModel in a fresh process, compares it logit by logit, and with what the evaluation recorded.
    export.run(inputs, export.Outputs(tmp_path / "export"), params, Runtime())
    assert json.loads((tmp_path / "export" / "tflite.json").read_text())["top1_agreement"] == 1.0
    assert json.loads((tmp_path / "export" / "onnx.json").read_text())["top1_agreement"] == 1.0
    again = keras.saving.load_model(tmp_path / "export" / "model.keras")
    images = np.random.default_rng(0).normal(size=(2, 24, 24, 3)).astype(np.float32)
    np.testing.assert_array_equal(again(images), model(images))
