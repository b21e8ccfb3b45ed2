import json

from click.testing import CliRunner

from pipeline.cli import alexnet


def test_params_prints_resolved_values(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    plain = CliRunner().invoke(alexnet, ["params", "-S", "variants.faithful.profile=caffe"])
    assert "variants.faithful.network.lrn_alpha: 2e-05" in plain.output
    values = json.loads(CliRunner().invoke(alexnet, ["params", "--json"]).output)
    assert values["variants"]["faithful"]["training"]["schedule"]["name"] == "steps"


def test_the_schema_allows_the_word_profile_only_where_a_profile_has_a_value(stubs):
    schema = json.loads(CliRunner().invoke(alexnet, ["params", "--schema"]).output)
    network = schema["$defs"]["AlexNet"]["properties"]
    assert {"const": "profile"} in network["lrn_alpha"]["anyOf"]
    assert "anyOf" not in network["dropout"]
