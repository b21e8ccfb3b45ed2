import json
import shutil

import numpy as np
import pytest

from alexnet_tf.errors import AlexNetError, ConfigError
from pipeline.results import pretrained


def test_a_model_that_is_kept_is_rounded_and_scored_before_and_after(tmp_path, classifier, monkeypatch):
    from alexnet_tf.data import record_dataset
    from alexnet_tf.models.classifier import read_classifier, write_classifier
    from alexnet_tf.models.weights import model_arrays
    from pipeline.results import pretrained
    from tests.alexnet_tf.small_networks import CLASSES
    from tests.alexnet_tf.small_training import MemorySplit, images

    monkeypatch.setattr(record_dataset.RecordDataset, "open", lambda *_: MemorySplit(images(9, 16), 48, CLASSES))
    write_classifier(tmp_path / "models", classifier)
    said = pretrained.keep(tmp_path, tmp_path / "models", tmp_path / "records", tmp_path / "kept")
    assert said == json.loads((tmp_path / "kept/loss.json").read_text())
    assert said["bytes_after"] < said["bytes_before"]
    assert said["num_examples"] == 9
    for view in ("center", "ten_crop"):
        assert 0 < said["test"][view]["largest_probability_difference"] < 0.02
    old, new = (model_arrays(read_classifier(tmp_path / name).model) for name in ("models", "kept"))
    for name, array in old.items():
        if name.endswith("kernel") and name != "fc8/kernel":
            np.testing.assert_allclose(new[name], array, rtol=2**-8)
            assert not np.any(new[name].view(np.uint32) & 0xFFFF)
            assert np.any(new[name] != array)
        else:
            np.testing.assert_array_equal(new[name], array)


def test_a_project_has_the_models_of_the_package_beside_its_own(tmp_path):
    assert pretrained.names(tmp_path) == ["cifar10", "cifar10_jpeg"]
    assert (pretrained.folder_of(tmp_path, "cifar10") / "model.json").is_file()
    with pytest.raises(ConfigError, match=r"comes with the package \(cifar10, cifar10_jpeg\); did you mean cifar10"):
        pretrained.folder_of(tmp_path, "cifar1")
    for name in ("cifar10", "flowers"):  # published there
        (tmp_path / pretrained.FOLDER / name).mkdir(parents=True)
        (tmp_path / pretrained.FOLDER / name / "model.json").touch()
    assert pretrained.names(tmp_path) == ["cifar10", "cifar10_jpeg", "flowers"]
    assert pretrained.folder_of(tmp_path, "cifar10") == tmp_path / pretrained.FOLDER / "cifar10"
    shutil.rmtree(tmp_path / pretrained.FOLDER / "cifar10")
    assert pretrained.names(tmp_path) == ["cifar10", "cifar10_jpeg", "flowers"]
    assert pretrained.folder_of(tmp_path, "cifar10").is_dir()


def test_a_model_that_is_too_large_is_told_before_it_is_scored(tmp_path, classifier, monkeypatch):
    from alexnet_tf.data import record_dataset
    from alexnet_tf.models.classifier import write_classifier
    from pipeline.results import pretrained
    from tests.alexnet_tf.small_networks import CLASSES
    from tests.alexnet_tf.small_training import MemorySplit, images

    monkeypatch.setattr(record_dataset.RecordDataset, "open", lambda *_: MemorySplit(images(9, 16), 48, CLASSES))
    monkeypatch.setattr(pretrained, "_MAX_BYTES", 100)
    write_classifier(tmp_path / "models", classifier)
    with pytest.raises(AlexNetError, match=r"models has [\d,]+ bytes of weights at best, .* at most 100"):
        pretrained.keep(tmp_path, tmp_path / "models", tmp_path / "records", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
