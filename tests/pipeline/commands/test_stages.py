import json
import sys

import pytest
from click.testing import CliRunner

from pipeline.cli import alexnet
from pipeline.config.load import load
from pipeline.stages import dvc_cache
from pipeline.tracking import uploads
from pipeline.tracking.tracker import SpoolTracker
from pipeline.verify import kill_test
from pipeline.verify.kill_test import Verdict


@pytest.mark.parametrize(("differing", "code"), [((), 0), (("models/faithful/weights.safetensors",), 1)])
def test_the_kill_test_says_what_it_found(workspace, monkeypatch, differing, code):
    asked = []
    monkeypatch.setattr(kill_test, "kill_test", lambda *given: asked.append(given) or Verdict(3, 2, 1, differing))
    monkeypatch.chdir(workspace.root)
    result = CliRunner().invoke(alexnet, ["train", "faithful", "--kill-test", "3", "-S", "seed=7"])
    assert result.exit_code == code, result.output
    assert "killed 3 times, 2 of them resumed from a checkpoint, 1 while one was being written" in result.output
    assert all(name in result.output for name in differing)
    (_, item, changes, kills, _) = asked[0]
    assert (item.address, changes, kills) == ("train@faithful", ("seed=7",), 3)
    assert not (workspace.root / "models").exists()


def test_a_training_begins_anew_when_asked_to(workspace, monkeypatch):
    stub, seen = sys.modules["components.train"].run, []

    def train(inputs, outputs, params, runtime):
        seen.append(runtime.fresh)
        return stub(inputs, outputs, params, runtime)

    monkeypatch.setattr(sys.modules["components.train"], "run", train)
    monkeypatch.setattr(uploads, "start", lambda workspace: None)
    monkeypatch.setattr(SpoolTracker, "_see_it_off", lambda _: None)
    monkeypatch.chdir(workspace.root)
    for path in load(workspace.root).item("train", "faithful").inputs().values():
        (workspace.root / path).mkdir(parents=True)
    for options in ([], ["--fresh"]):
        result = CliRunner().invoke(alexnet, ["train", "faithful", *options])
        assert result.exit_code == 0, result.output
    assert seen == [False, True]


def test_a_stage_that_was_run_by_hand_says_what_it_wrote_and_how_dvc_learns_of_it(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    result = CliRunner().invoke(alexnet, ["download", "-S", "runtime.beam_workers=1"])
    assert result.exit_code == 0, result.output
    assert "download: wrote data/dataset; `dvc status` shows a change until `dvc commit download`" in result.stderr
    tried = CliRunner().invoke(alexnet, ["download", "-S", "download.validation_share=0.2"]).stderr
    assert "download: wrote data/dataset; params.yaml lacks the values of -S, so do not `dvc commit` it" in tried
    assert json.loads((workspace.root / "data/dataset/params.json").read_text())["validation_share"] == 0.2


def test_ctrl_c_in_the_wait_for_mlflow_hides_nothing_of_it(workspace, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.chdir(workspace.root)
    monkeypatch.setattr(uploads, "start", lambda workspace: None)
    monkeypatch.setattr(SpoolTracker, "_see_it_off", interrupted)
    result = CliRunner().invoke(alexnet, ["download"])
    assert result.exit_code == 130
    assert "download: wrote data/dataset; `dvc status` shows a change until `dvc commit download`" in result.stderr
    assert result.stderr.endswith("error: download: interrupted\n")


def lock_former_outputs(workspace, monkeypatch, cache, has_cache):
    """Write a dvc.lock that names outputs of `download`, which DVC's cache has or has not."""
    monkeypatch.setattr(dvc_cache, "_folder", lambda root: cache)
    former = {"path": "data/dataset", "md5": "0123.dir"}
    (workspace.root / "dvc.lock").write_text(json.dumps({"stages": {"download": {"outs": [former]}}}))
    if has_cache:
        (cache / "files/md5/01").mkdir(parents=True)
        (cache / "files/md5/01/23.dir").write_text("[]")


@pytest.mark.parametrize("has_cache", [True, False])
def test_a_stage_by_hand_says_how_the_former_outputs_come_back(workspace, monkeypatch, tmp_path, has_cache):
    """That `dvc checkout` does it is in tests/test_daily_page.py."""
    monkeypatch.chdir(workspace.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    lock_former_outputs(workspace, monkeypatch, tmp_path / "cache", has_cache)
    said = CliRunner().invoke(alexnet, ["download"]).stderr
    way_back = "until `dvc commit download`, and `dvc checkout --force download` brings back those of dvc.lock"
    assert (way_back in said) == has_cache
    assert "until `dvc commit download`" in said


@pytest.mark.parametrize(("has_cache", "started_by"), [(True, "download"), (True, ""), (False, "download")])
def test_a_refused_stage_says_how_the_outputs_come_back_that_dvc_has_removed(
    workspace, monkeypatch, tmp_path, has_cache, started_by
):
    monkeypatch.chdir(workspace.root)
    monkeypatch.setenv("DVC_STAGE", started_by)
    lock_former_outputs(workspace, monkeypatch, tmp_path / "cache", has_cache)
    (workspace.root / "params.yaml").write_text("downlod: {}\n")
    refused = CliRunner().invoke(alexnet, ["download"])
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    hint = "; `dvc checkout download` brings back the former outputs, which DVC has removed\n"
    assert refused.stderr.endswith(hint) == (has_cache and bool(started_by))
