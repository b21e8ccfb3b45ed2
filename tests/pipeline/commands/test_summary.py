import json

from click.testing import CliRunner

from pipeline.cli import alexnet


def test_the_networks_are_shown_with_their_totals(root, monkeypatch):
    monkeypatch.chdir(root)
    result = CliRunner().invoke(alexnet, ["summary", "faithful", "--num-classes", "1000"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("faithful, 1000 classes\nlayer")
    assert result.output.rstrip().splitlines()[-1].split() == ["total", "60,965,224", "724,406,816"]


def test_json_has_every_variant_and_layer(root, monkeypatch):
    monkeypatch.chdir(root)
    tables = json.loads(CliRunner().invoke(alexnet, ["summary", "--num-classes", "10", "--json"]).output)
    assert list(tables) == ["faithful", "optimized"]
    assert sum(row["parameters"] for row in tables["faithful"]) == 56_909_194
