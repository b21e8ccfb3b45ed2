import functools
import subprocess

import pytest

from alexnet_tf.errors import AlexNetError
from pipeline.environment import git
from tests.commits import commit_all


@pytest.fixture
def project(tmp_path):
    """A project in a folder below the root of a repository, with one commit."""
    root = tmp_path / "repository" / "project"
    root.mkdir(parents=True)
    for name in ("params.yaml", "dvc.lock"):
        (root / name).write_text("first\n")
    commit_all(root.parent)
    return root


def test_changes_are_those_of_code_and_parameters(project):
    assert git.is_committed(project, "params.yaml")
    (project / "untracked.yaml").write_text("first\n")
    assert not git.is_committed(project, "untracked.yaml")
    (project / "dvc.lock").write_text("second\n")
    assert git.changed_files(project) == []
    assert git.uncommitted_changes(project) == b""
    (project / "params.yaml").write_text("second\n")
    assert not git.is_committed(project, "params.yaml")
    assert git.changed_files(project) == ["params.yaml"]
    assert b"+second" in git.uncommitted_changes(project)


def test_new_code_counts_though_git_does_not_know_it_yet(project):
    (project / "alexnet_tf").mkdir()
    (project / "alexnet_tf/new.py").write_text("X = 1\n")
    (project / "größe.txt").write_text("not of the packages\n")
    assert git.changed_files(project) == ["alexnet_tf/new.py"]
    index = (project.parent / ".git/index").read_bytes()
    patch = git.uncommitted_changes(project)
    assert (project.parent / ".git/index").read_bytes() == index
    (project / "alexnet_tf/new.py").unlink()
    subprocess.run(["git", "apply"], cwd=project.parent, input=patch, check=True)
    assert (project / "alexnet_tf/new.py").read_text() == "X = 1\n"


def test_before_the_first_add_there_are_no_changes(tmp_path):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline/new.py").touch()
    assert git.uncommitted_changes(tmp_path) is None


def test_names_are_told_as_they_are(project):
    (project / "größe.txt").write_text("first\n")
    commit_all(project.parent)
    (project / "größe.txt").write_text("second\n")
    assert git.changed_files(project) == ["größe.txt"]


def test_a_commit_is_read_by_paths_of_the_project(project):
    commit = git.commit_of(project, "HEAD")
    assert commit
    assert git.committed(project, commit, "params.yaml") == "first\n"
    assert git.committed(project, commit, "nothing") is None
    assert git.has_object(project, f"{commit}:./params.yaml")
    assert not git.has_object(project, f"{commit}:./nothing")


def test_an_experiment_is_found_by_its_name_and_start(project):
    commit = git.commit_of(project, "HEAD")
    reference = f"refs/exps/{commit[:2]}/{commit[2:]}/wide"
    subprocess.run(["git", "update-ref", reference, "HEAD"], cwd=project, check=True)
    assert git.experiments_named(project, "wide") == {commit: commit}
    assert git.experiments_named(project, "deep") == {}


def test_a_setting_that_is_not_there_is_empty(project):
    assert git.setting(project, "alexnet.nothing") == ""
    subprocess.run(["git", "config", "alexnet.something", "word"], cwd=project, check=True)
    assert git.setting(project, "alexnet.something") == "word"


def test_a_commit_that_is_none_cannot_be_checked_out(project, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        AlexNetError, match=r"the files of commit nosuch cannot be written here \(.*\); `df -h .*git fsck`"
    ):
        git.check_out(project, "nosuch", tmp_path / "empty")


@pytest.mark.parametrize("path", ["", "nowhere"], ids=["no git", "no repository"])
def test_without_git_or_a_commit_there_is_nothing(tmp_path, monkeypatch, path):
    if not path:
        monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git.commit_of(tmp_path, "HEAD") is None
    assert git.uncommitted_changes(tmp_path) is None
    assert git.changed_files(tmp_path) == []
    assert not git.is_committed(tmp_path, "params.yaml")


def test_the_patch_of_changes_applies_whatever_the_settings_of_git_are(project, tmp_path):
    files = {"blank.py": b"one\n\n\n", "latin.txt": b"caf\xe9\r\n", "picture": bytes(range(256))}
    for name, content in files.items():
        (project / name).write_bytes(content)
    run = functools.partial(subprocess.run, cwd=project, check=True, capture_output=True)
    commit_all(project.parent)
    changed = {"blank.py": b"two\n\n\n", "latin.txt": b"th\xe9\r\n", "picture": bytes(range(255, -1, -1))}
    for name, content in changed.items():
        (project / name).write_bytes(content)
    settings = [
        "color.diff always",
        "diff.external false",
        "diff.noprefix true",
        "diff.relative true",
        "diff.context 0",
    ]
    for key, value in map(str.split, settings):
        run(["git", "config", key, value])
    (tmp_path / "changes.patch").write_bytes(git.uncommitted_changes(project))
    run(["git", "stash", "--quiet"])
    assert {name: (project / name).read_bytes() for name in files} == files
    run(["git", "apply", str(tmp_path / "changes.patch")], cwd=project.parent)
    assert {name: (project / name).read_bytes() for name in files} == changed


def test_a_git_that_cannot_read_the_repository_is_told_with_the_way_out(project, monkeypatch):
    assert git.problem(project) is None
    git.require_working(project)
    (project.parent / ".git" / "HEAD").write_text("nonsense")
    told, fix = git.problem(project)
    assert told.startswith("Git says: ")
    assert fix == f"git -C {project} status"
    monkeypatch.setenv("PATH", str(project))
    assert git.problem(project).told == "Git is not installed"
    with pytest.raises(AlexNetError, match="Git is not installed; the way out: install it"):
        git.require_working(project)


def test_a_repository_of_another_user_is_told_with_git_s_own_way_out(project, monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # Git's own tests do it so
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")  # it may trust all
    monkeypatch.delenv("GIT_CONFIG_COUNT", raising=False)  # as that of the tests does
    monkeypatch.setenv("LC_ALL", "C")
    told, fix = git.problem(project)
    assert "ownership" in told or "unsafe repository" in told
    subprocess.run(fix, shell=True, check=True)
    assert git.problem(project) is None


def test_without_a_repository_there_is_no_problem(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git.problem(tmp_path) is None
