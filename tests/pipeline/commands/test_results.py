import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import alexnet
from pipeline.results import kept, pretrained
from tests.pipeline.results.test_figure1 import result

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(("variant", "name", "said"), [("nosuch", "x", "nosuch"), ("optimized", "../x", "'../x'")])
def test_keeping_what_cannot_be_kept_is_a_usage_error(monkeypatch, variant, name, said):

    monkeypatch.chdir(ROOT)
    answer = CliRunner().invoke(alexnet, ["results", "publish", variant, name])
    assert answer.exit_code == 2
    assert said in answer.stderr


def test_a_model_is_published_from_its_variant_and_the_records_of_its_images(workspace, monkeypatch):
    asked = []
    monkeypatch.setattr(pretrained, "keep", lambda *given: asked.append(given) or {"bytes": 7})
    monkeypatch.chdir(workspace.root)
    answer = CliRunner().invoke(alexnet, ["results", "publish", "optimized", "mine"])
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.output) == {"bytes": 7}
    places = ("models/optimized", "data/records/small", "results/pretrained/mine")
    assert asked == [(workspace.root, *(workspace.root / place for place in places))]


def test_the_command_prints_the_table_and_draws(tmp_path, monkeypatch):
    runs = [result("relu", [0.5, 0.0]), result("tanh", [0.5, 0.5, 0.5, 0.0])]
    asked: list[Path] = []
    monkeypatch.setattr(kept, "load", lambda folder: asked.append(folder) or runs)
    found = CliRunner().invoke(alexnet, ["results", "figure1", "relu_tanh", "--plot", str(tmp_path / "figure1.png")])
    assert found.exit_code == 0, found.output
    assert asked[0].parts[-2:] == ("results", "relu_tanh")
    assert "3.00 times sooner than tanh (seed 1: 3.00)" in found.output
    assert (tmp_path / "figure1.png").read_bytes().startswith(b"\x89PNG")
    told = json.loads(CliRunner().invoke(alexnet, ["results", "figure1", "relu_tanh", "--json"]).stdout)
    assert [(each["network"], each["seed"], each["epochs_to_target"]) for each in told["runs"]] == [
        ("relu", 1, 1.0),
        ("tanh", 1, 3.0),
    ]
    assert "3.00 times sooner than tanh (seed 1: 3.00)" in told["sentence"]
    found = CliRunner().invoke(
        alexnet, ["results", "figure1", "relu_tanh", "--plot", str(tmp_path / "nowhere" / "figure1.png")]
    )
    assert found.exit_code == 2
    assert "does not exist; make it first" in found.output
