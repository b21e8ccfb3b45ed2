"""The environment in which stages of a clean folder run again."""

import os
import subprocess
from types import SimpleNamespace

import pytest

from pipeline.environment import processes
from pipeline.environment.workspace import Workspace
from pipeline.verify import clean_checkout
from tests.commits import commit_all


def test_variables_are_set_and_taken_out(monkeypatch, tmp_path):
    """A kept result without the tag `env.onednn` had TensorFlow's own choice, and must have it again."""
    seen = []
    monkeypatch.setattr(
        processes,
        "subprocess",
        SimpleNamespace(run=lambda *_, env, **__: seen.append(env) or subprocess.CompletedProcess([], 0)),
    )
    monkeypatch.setitem(os.environ, "TF_ENABLE_ONEDNN_OPTS", "1")
    for word in (None, "0"):
        clean_checkout.rerun(tmp_path, ["train@optimized"], {"TF_ENABLE_ONEDNN_OPTS": word})
    clean_checkout.rerun(tmp_path, ["train@optimized"])
    assert [env.get("TF_ENABLE_ONEDNN_OPTS") for env in seen] == [None, "0", "1"]
    assert {env["PYTHONPATH"] for env in seen} == {str(tmp_path)}


@pytest.fixture
def committed(tmp_path):
    """A repository with a commit, in a folder below its root, a hook, and changes since."""
    root = tmp_path / "repository"
    (root / "below" / "scripts").mkdir(parents=True)
    (root / "above.txt").write_text("not of the project")
    (root / "below" / "größe.txt").write_bytes(b"\r\nas it was\n")
    (root / "below" / "scripts" / "run").write_text("#!/bin/sh\n")
    (root / "below" / "scripts" / "run").chmod(0o755)
    commit_all(root)
    for name in ("post-checkout", "post-index-change"):
        hook = root / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch '{tmp_path}/hooked'\n")
        hook.chmod(0o755)
    (root / "below" / "größe.txt").write_text("changed since")
    (root / "below" / "untracked.txt").write_text("never committed")
    return Workspace(root=root / "below", home=root / "below")


def test_the_folder_has_the_commit_and_nothing_else_happens(committed, tmp_path):
    git = committed.root.parent / ".git"
    before = (git / "index").read_bytes()
    with clean_checkout.clean_folder(committed, "HEAD", keep=False, say=print) as folder:
        found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert found == {"größe.txt", "scripts/run"}
        assert (folder / "größe.txt").read_bytes() == b"\r\nas it was\n"
        assert os.access(folder / "scripts/run", os.X_OK)
    assert not folder.exists()
    assert (git / "index").read_bytes() == before
    assert (committed.root / "größe.txt").read_text() == "changed since"
    assert not (tmp_path / "hooked").exists()
    assert subprocess.run(["git", "worktree", "list"], cwd=git.parent, capture_output=True).stdout.count(b"\n") == 1


@pytest.mark.parametrize("keep", [True, False])
def test_the_folder_stays_if_that_is_wanted(committed, keep):
    said = []
    with clean_checkout.clean_folder(committed, "HEAD", keep=keep, say=said.append) as folder:
        assert folder.is_dir()
    assert folder.exists() == keep
    assert said == [f"the clean folder is kept: {folder}"] * keep
