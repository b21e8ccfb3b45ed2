from importlib import resources
from pathlib import Path

from alexnet_tf.packaged_models import model_names, packaged_models


def test_the_package_has_models_and_so_has_a_checkout_that_is_not_installed(tmp_path, monkeypatch):
    assert model_names(packaged_models()) == ["cifar10", "cifar10_jpeg"]
    assert model_names(tmp_path) == []

    def files(package):
        raise ModuleNotFoundError(package)

    monkeypatch.setattr(resources, "files", files)
    assert packaged_models() == Path(__file__).parents[2] / "results/pretrained"
    assert model_names(packaged_models()) == ["cifar10", "cifar10_jpeg"]
