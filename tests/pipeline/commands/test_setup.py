import os
import subprocess
import sys

from click.testing import CliRunner

from pipeline.cli import alexnet
from pipeline.environment.dvc_settings import IDENTITY, is_no_scm
from tests.pipeline.commands.test_doctor import findings


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
    assert findings()["git"]["fix"] == IDENTITY
    told = CliRunner().invoke(alexnet, ["setup"])
    assert (told.exit_code, IDENTITY in told.output) == (0, True)
    assert "which `git commit` needs, and `dvc exp` once a file is changed" in told.output
    for role in ("AUTHOR", "COMMITTER"):
        assert findings()["git"]["level"] == "warn"
        monkeypatch.setenv(f"GIT_{role}_NAME", "a")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@b")
    assert findings()["git"]["level"] == "ok"
    monkeypatch.delenv("GIT_COMMITTER_NAME")
    assert findings()["git"]["level"] == "warn"
    subprocess.run(IDENTITY, shell=True, check=True)
    assert findings()["git"]["level"] == "ok"
    assert IDENTITY not in CliRunner().invoke(alexnet, ["setup"]).output
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_repository_that_git_cannot_read_is_told_wherever_its_commits_are_needed(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    (workspace.root / ".dvc").mkdir()
    subprocess.run(["git", "init", "-q"], check=True)
    (workspace.root / ".git/HEAD").write_text("nonsense")
    way_out = f"git -C {workspace.root} status"
    told = CliRunner().invoke(alexnet, ["setup"])
    assert told.exit_code == 0
    assert "ready" not in told.output
    assert told.output.startswith("Git says: ")
    assert way_out in told.output
    assert findings()["git"]["fix"] == way_out
    for command in (["verify", "download"], ["verify"], ["track", "keep"]):
        refused = CliRunner().invoke(alexnet, command)
        assert (refused.exit_code, "Git says: " in refused.stderr, way_out in refused.stderr) == (1, True, True)
