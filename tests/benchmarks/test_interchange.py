from importlib import metadata

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import interchange


def test_a_runtime_that_fails_is_a_row_and_no_end(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    np.save(tmp_path / "crops.npy", np.zeros((1, 4, 4, 3), np.float32))
    found = interchange.ask("onnxruntime", tmp_path / "model.onnx", np.zeros((1, 2)), 60)
    assert found["outcome"] == "refuses"
    assert "rotobuf" in found["reason"]
    assert str(tmp_path) not in found["reason"]
    assert interchange.ask("onnxruntime", tmp_path / "model.onnx", np.zeros((1, 2)), 0.01)["outcome"] == "hangs"


def test_a_runtime_that_is_missing_is_told_before_anything_is_exported(monkeypatch):
    def version(package):
        if package in ("openvino", "ai-edge-litert"):
            raise metadata.PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(interchange, "export", lambda *_: pytest.fail("exported"))
    found = CliRunner().invoke(interchange.main, [])
    assert found.exit_code == 1
    assert "openvino, ai-edge-litert: not installed; `python -m pip install -c constraints.txt --group" in found.output
    monkeypatch.setattr(metadata, "version", lambda package: "1.0")
    assert interchange.versions().keys() == {"tensorflow", "openvino", "litert", "opencv", "onnxruntime"}
