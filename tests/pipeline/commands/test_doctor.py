import importlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from alexnet_tf.training.checkpoint import Checkpoint, State
from pipeline.cli import alexnet
from pipeline.commands import health
from pipeline.commands.setup import IDENTITY, is_no_scm
from pipeline.config.load import load
from pipeline.environment.workspace import Workspace
from pipeline.runner import run_stage
from pipeline.stages.fingerprint import fingerprint

ROOT = Path(__file__).resolve().parents[3]


def _doctor(*arguments):
    return CliRunner().invoke(alexnet, ["doctor", *arguments])


def _findings():
    return {each["name"]: each for each in json.loads(_doctor("--json").output)}


def test_every_finding_that_is_not_ok_has_a_fix(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    (workspace.root / "constraints.txt").write_text("numpy==0.0.1  # old\nkeras==3\n# comment\n")
    findings = _findings()
    assert findings["params"]["level"] == "ok"
    assert "numpy" in findings["versions"]["found"]
    assert findings["git"]["level"] == "fail"
    for finding in findings.values():
        assert finding["level"] == "ok" or finding["fix"], finding
    assert _doctor().exit_code == 1


def test_wrong_parameters_fail(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    path = workspace.root / "params.yaml"
    path.write_text(path.read_text().replace("seed", "sed", 1))
    finding = _findings()["params"]
    assert finding["level"] == "fail"
    assert "did you mean seed?" in finding["found"]


def test_a_server_that_is_down_is_a_warning(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert _findings()["tracking"]["level"] == "warn"


def test_checkpoints_of_other_trainings_are_named_with_their_size_and_left_alone(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    assert _findings()["checkpoint"]["found"] == "none kept"
    folder = workspace.scratch / "checkpoints"

    def keep(name, days):
        (folder / name).mkdir(parents=True)
        for file, each in (("checkpoint.safetensors", days), ("first.npz", 30)):
            (folder / name / file).write_bytes(bytes(3_000_000))
            os.utime(folder / name / file, (0, time.time() - each * 86400))
        os.utime(folder / name, (0, time.time() - days * 86400))

    keep("aaaa1111bbbb2222", 1)
    finding = _findings()["checkpoint"]
    assert finding["level"] == "ok"
    assert finding["found"] == "1 of other params, data or code, 6 MB: aaaa1111bbbb… 6 MB"
    *_, removal = finding["fix"].partition("rm -r ")
    assert removal == ".alexnet/checkpoints/aaaa1111bbbb2222"
    keep("cccc3333dddd4444", 8)
    assert _findings()["checkpoint"]["level"] == "warn"
    shutil.rmtree(removal)
    assert _findings()["checkpoint"]["found"] == "1 of other params, data or code, 6 MB: cccc3333dddd… 6 MB"


def test_the_checkpoint_of_a_present_training_says_where_it_stands(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    config = load(workspace.root / "params.yaml")
    for stage, key in (("download", ""), ("validate", ""), ("preprocess", "small"), ("statistics", "small")):
        run_stage(workspace, config, config.item(stage, key))
    item = config.item("train", "optimized")
    folder = workspace.scratch / "checkpoints" / fingerprint(workspace.root, item, config.params[item.address])
    Checkpoint(folder, "float32").save(State(1200, 50, step=410), {"weights": np.zeros(3)}, {})
    expected = "train@optimized: step 410 of 1,200, epoch 9 of 24; `dvc repro` goes on there"
    assert _findings()["checkpoint"] == {"name": "checkpoint", "level": "ok", "found": expected, "fix": ""}
    path = workspace.root / "params.yaml"
    path.write_text(path.read_text().replace("epochs: 30", "epochs: 31"))
    assert _findings()["checkpoint"]["found"].startswith("1 of other params, data or code, ")
    path.write_text(path.read_text().replace("epochs: 31", "epochs: 30"))
    (folder / "checkpoint.safetensors").write_bytes(b"half")
    assert "checkpoint.safetensors is damaged or no file of ours" in _findings()["checkpoint"]["found"]


def test_setup_makes_dvc_work_without_git_and_again_with_it(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    (workspace.root / ".dvc").mkdir()
    (workspace.root / ".dvc/config").write_text("[core]\n    analytics = false\n")
    first = CliRunner().invoke(alexnet, ["setup"])
    assert first.exit_code == 0, first.output
    assert "no Git repository" in first.output
    assert is_no_scm(workspace.root)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: sys.exit("setup is not idempotent"))
    assert CliRunner().invoke(alexnet, ["setup"]).output == first.output
    monkeypatch.undo()
    monkeypatch.chdir(workspace.root)
    subprocess.run(["git", "init", "-q"], cwd=workspace.root, check=True)
    assert "both work" in CliRunner().invoke(alexnet, ["setup"]).output
    assert not is_no_scm(workspace.root)


def test_bfloat16_that_the_processor_only_emulates_is_a_warning(monkeypatch):
    monkeypatch.chdir(ROOT)
    config = importlib.import_module("pipeline.config.load")
    checked = config.load(ROOT / "params.yaml", ["variants.optimized.training.precision=bfloat16"])
    monkeypatch.setattr(config, "load", lambda path: checked)
    monkeypatch.setattr(health.shutil, "which", lambda tool: None)
    for has, level in ((True, "ok"), (False, "warn")):
        monkeypatch.setattr(health, "processor_has_bfloat16", lambda has=has: has)
        finding = health._params(Workspace(ROOT, ROOT))
        assert (finding.level, "optimized: training.precision is bfloat16" in finding.found) == (level, not has)


def test_a_git_that_knows_no_name_is_told_with_what_to_type(workspace, tmp_path, monkeypatch):
    for name in list(os.environ):
        if name.startswith(("GIT_", "XDG_")):
            monkeypatch.delenv(name)
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.chdir(workspace.root)
    (workspace.root / ".dvc").mkdir()
    subprocess.run(["git", "init", "-q"], check=True)
    assert _findings()["git"]["fix"] == IDENTITY
    told = CliRunner().invoke(alexnet, ["setup"])
    assert (told.exit_code, IDENTITY in told.output) == (0, True)
    for role in ("AUTHOR", "COMMITTER"):
        assert _findings()["git"]["level"] == "warn"
        monkeypatch.setenv(f"GIT_{role}_NAME", "a")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@b")
    assert _findings()["git"]["level"] == "ok"
    monkeypatch.delenv("GIT_COMMITTER_NAME")
    assert _findings()["git"]["level"] == "warn"
    subprocess.run(IDENTITY, shell=True, check=True)
    assert _findings()["git"]["level"] == "ok"
    assert IDENTITY not in CliRunner().invoke(alexnet, ["setup"]).output
    assert list((tmp_path / "empty").iterdir()) == []
