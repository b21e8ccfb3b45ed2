import json

from click.testing import CliRunner

from pipeline.cli import alexnet


def test_the_networks_are_shown_with_their_totals(sample_project, monkeypatch):
    monkeypatch.chdir(sample_project)
    result = CliRunner().invoke(alexnet, ["summary", "faithful", "--num-classes", "1000"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("faithful, 1000 classes\nlayer")
    assert result.output.rstrip().splitlines()[-1].split() == ["total", "60,965,224", "724,406,816"]


def test_the_total_is_that_of_keras_and_says_how_much_is_trainable(sample_project, monkeypatch):
    """2,003,168 and 2,000,192 are what `model.summary()` says of results/pretrained/cifar10."""
    monkeypatch.chdir(sample_project)
    network = ["filters=[24, 64, 256, 256, 256]", "kernel_sizes=[2, 3, 3, 3, 3]", "dense_units=[256, 256]"]
    network += ["conv1=whitening", "pools=[1, 2, 2, 1, 2]", "batch_norm_scale=false"]
    changes = [f"variants.optimized.network.{each}" for each in network] + ["variants.optimized.input.crop_size=32"]
    options = [word for change in changes for word in ("-S", change)]
    result = CliRunner().invoke(alexnet, ["summary", "optimized", "--num-classes", "10", *options])
    total, trainable = result.output.rstrip().splitlines()[-2:]
    assert total.split()[:2] == ["total", "2,003,168"]
    assert trainable.split() == ["of", "which", "trainable", "2,000,192"]


def test_json_has_every_variant_and_layer(sample_project, monkeypatch):
    monkeypatch.chdir(sample_project)
    tables = json.loads(CliRunner().invoke(alexnet, ["summary", "--num-classes", "10", "--json"]).output)
    assert list(tables) == ["faithful", "optimized"]
    assert sum(row["parameters"] for row in tables["faithful"]) == 56_909_194
