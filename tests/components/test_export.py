import json
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import ValidationError

from alexnet_tf.errors import DataError
from components import export
from components.interfaces import Runtime


@pytest.fixture
def paths(tmp_path):
    (tmp_path / "evaluation").mkdir()
    view = {"top1_error": 0.4, "top1_error_low": 0.3, "top1_error_high": 0.5, "mean_loss": 1.0}
    metrics = {"num_examples": 400, "center": view, "ten_crop": view}
    (tmp_path / "evaluation" / "metrics.json").write_text(json.dumps(metrics))
    return tmp_path


def _run(root, bound):
    inputs = export.Inputs(model=root / "model", evaluation=root / "evaluation", records=root / "records")
    params = export.Params(gate=export.Gate(max_top1_error=bound))
    export.run(inputs, export.Outputs(export=root / "export"), params, Runtime())
    return root / "export"


def test_a_refused_model_leaves_its_blessing_alone(paths, caplog):
    folder = _run(paths, 0.39)
    assert [path.name for path in folder.iterdir()] == ["blessing.json"]
    assert json.loads((folder / "blessing.json").read_text()) == {
        "blessed": False,
        "rules": [{"metric": "ten_crop.top1_error", "value": 0.4, "bound": 0.39, "verdict": "fail"}],
    }
    assert [record.getMessage() for record in caplog.records] == [
        "Not exported: ten_crop.top1_error is 0.4000 and may be 0.3900 at most (gate.max_top1_error)."
    ]


@pytest.mark.parametrize(("bound", "verdict"), [(0.4, "pass"), (0.3999, "fail"), (1.0, "pass"), (0.0, "fail")])
def test_a_value_at_its_bound_passes(bound, verdict):
    blessing = export.judge({"ten_crop": {"top1_error": 0.4}}, export.Gate(max_top1_error=bound))
    assert blessing["rules"][0]["verdict"] == verdict
    assert blessing["blessed"] == (verdict == "pass")


@pytest.mark.parametrize("bound", [-0.1, 1.5, "0.3"])
def test_a_bound_that_is_no_fraction_is_refused(bound):
    with pytest.raises(ValidationError):
        export.Gate(max_top1_error=bound)


def test_a_missing_evaluation_is_named(paths):
    (paths / "evaluation" / "metrics.json").unlink()
    with pytest.raises(DataError, match="run the stage evaluate"):
        _run(paths, 0.5)


@pytest.fixture
def model(paths):
    """A three-class model in paths/model: images stored at 20 pixels, doubled, seen in crops of 32."""
    from alexnet_tf.architecture import AlexNetBN
    from alexnet_tf.augment import Views
    from alexnet_tf.bundle import Bundle, save_bundle
    from alexnet_tf.networks import build
    from alexnet_tf.recipe import InputSpec

    spec = AlexNetBN(
        name="alexnet_bn",
        filters=[4] * 5,
        dense_units=[8, 8],
        activation="relu",
        batch_norm_momentum=0.9,
        dropout=0.5,
    )
    views = Views(InputSpec(crop_size=32, mean="channel", divide_by=64.0), 20, 40, np.float32([90, 100, 110]))
    bundle = Bundle(build(spec, crop_size=32, num_classes=3, seed=1), views, ("ash", "elm", "fir"), "float32")
    save_bundle(paths / "model", bundle)
    return bundle


def test_a_blessed_model_is_exported_and_asked_in_a_fresh_process(paths, model, monkeypatch):
    import keras

    from alexnet_tf import record_split

    images = np.random.default_rng(0).integers(0, 256, (9, 20, 20, 3), dtype=np.uint8)
    split = SimpleNamespace(num_examples=9, read=lambda indices: images[np.asarray(indices)])
    monkeypatch.setattr(record_split, "RecordSplit", SimpleNamespace(open=lambda folder, name: split))
    folder = _run(paths, 0.5)
    assert {path.name for path in folder.iterdir()} == {
        "blessing.json",
        "saved_model",
        "model.keras",
        "class_names.txt",
        "model_card.md",
    }
    assert (folder / "class_names.txt").read_text() == "ash\nelm\nfir\n"
    card = (folder / "model_card.md").read_text()
    assert "| top-1, ten crops | 40.0 % (30.0 to 50.0) |" in card
    assert "top-5" not in card
    assert "enlarged to 40 × 40" in card
    x = model.center_view(model.inputs(images))
    network = keras.saving.load_model(folder / "model.keras")
    np.testing.assert_allclose(network(x), model.model(x), rtol=1e-6)


def test_a_keras_file_holds_no_date(model, tmp_path):
    from alexnet_tf.keras_file import save_keras

    save_keras(model.model, tmp_path / "a.keras")
    save_keras(model.model, tmp_path / "b.keras")
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.keras") as file:
        assert {entry.date_time for entry in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(file.read("metadata.json"))["date_saved"] == ""
