import pytest

from alexnet_tf.errors import AlexNetError
from pipeline.environment.workspace import (
    Workspace,
    code_folder,
    find_workspace,
    home_of,
    root_or_here,
    workspace_around,
)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.delenv("DVC_ROOT", raising=False)
    root = (tmp_path / "project").resolve()
    (root / "data" / "dataset").mkdir(parents=True)
    (root / "dvc.yaml").write_text("stages: {download: {cmd: alexnet download}}\n")
    (root / "params.yaml").touch()
    return root


def test_it_is_found_from_any_folder_in_it(project, monkeypatch):
    monkeypatch.chdir(project / "data" / "dataset")
    assert find_workspace() == workspace_around(project) == Workspace(root=project, home=project)


def test_without_params_yaml_the_experiments_show_it(project, monkeypatch):
    monkeypatch.chdir(project)
    (project / "params.yaml").unlink()
    with pytest.raises(AlexNetError, match="neither this folder nor a parent contains"):
        find_workspace()
    (project / "experiments").mkdir()
    assert find_workspace().root == project


def test_another_project_that_uses_dvc_is_none_of_ours(project, monkeypatch):
    monkeypatch.chdir(project)
    (project / "dvc.yaml").write_text("stages: {train: {cmd: python train.py}}\n")
    assert workspace_around() is None
    assert root_or_here() == project
    with pytest.raises(AlexNetError, match="with stages of alexnet"):
        find_workspace()


def test_a_queued_experiment_keeps_its_checkpoints_where_dvc_was_called(project, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    copy.mkdir()
    monkeypatch.setenv("DVC_ROOT", str(project))
    assert home_of(copy) == project
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "elsewhere"))  # a `dvc` of another project calls this one
    assert home_of(copy) == copy


def test_a_folder_of_runtime_is_below_the_home_or_of_the_user(project, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    workspace = Workspace(root=project / "copy", home=project)
    assert workspace.located("data sets") == project / "data sets"
    assert str(workspace.located("~/data")) == "/home/someone/data"
    assert workspace.located(None) is None


def test_the_code_is_that_of_this_checkout(root):
    assert code_folder() == root
