import json
import re

import pytest
from click.testing import CliRunner

from pipeline.cli import alexnet


def doctor(*arguments):
    return CliRunner().invoke(alexnet, ["doctor", *arguments])


def findings():
    return {each["name"]: each for each in json.loads(doctor("--json").output)}


def test_every_finding_that_is_not_ok_has_a_fix(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    (workspace.root / "constraints.txt").write_text("numpy==0.0.1  # old\nkeras==3\n# comment\n")
    found = findings()
    assert found["params"]["level"] == "ok"
    assert "numpy" in found["versions"]["found"]
    assert found["git"]["level"] == "fail"
    for finding in found.values():
        assert finding["level"] == "ok" or finding["fix"], finding
    assert doctor().exit_code == 1


def test_wrong_parameters_fail(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    path = workspace.root / "params.yaml"
    path.write_text(path.read_text().replace("seed", "sed", 1))
    finding = findings()["params"]
    assert finding["level"] == "fail"
    assert "did you mean seed?" in finding["found"]


@pytest.mark.parametrize("local", ["runtime: {bogus: 1}", "runtime: {beam_workers: many}", "runtime: {"])
def test_a_wrong_local_file_is_the_one_to_correct(workspace, monkeypatch, local):
    monkeypatch.chdir(workspace.root)
    (workspace.root / "params.local.yaml").write_text(f"{local}\n")
    assert findings()["params"]["fix"] == "correct params.local.yaml"


def test_params_that_only_name_the_local_file_are_themselves_to_correct(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    path = workspace.root / "params.yaml"
    path.write_text(re.sub(r"beam_workers: \d+", "beam_workers: params.local.yaml", path.read_text()))
    finding = findings()["params"]
    assert "got 'params.local.yaml'" in finding["found"]
    assert finding["fix"].startswith("correct params.yaml")


@pytest.mark.parametrize("place", ["nowhere", "images.txt"])
def test_a_source_folder_that_is_none_is_a_warning(workspace, monkeypatch, place):
    monkeypatch.chdir(workspace.root)
    (workspace.root / "images.txt").touch()
    path = workspace.root / "params.yaml"
    path.write_text(path.read_text().replace("source: sample", "source: image_folder"))
    (workspace.root / "params.local.yaml").write_text(f"runtime: {{source_folder: {place}}}\n")
    finding = findings()["source"]
    assert finding["level"] == "warn"
    assert f"{place}, which is no folder" in finding["found"]
    assert "alexnet download` says what to put there" in finding["fix"]


def test_a_folder_into_which_the_set_is_downloaded_may_be_missing(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    path = workspace.root / "params.yaml"
    path.write_text(path.read_text().replace("source: sample", "source: tiny_imagenet"))
    (workspace.root / "params.local.yaml").write_text("runtime: {source_folder: nowhere}\n")
    assert findings()["source"]["level"] == "ok"


def test_a_server_that_is_down_is_a_warning(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert findings()["tracking"]["level"] == "warn"
