import hashlib
import subprocess
from importlib import metadata

import pytest
from stub_stages import TEXT

from pipeline.environment.git import uncommitted_changes
from pipeline.environment.provenance import on_machine, provenance_tags, words_of
from pipeline.tracking.run_context import RepositoryContext
from tests.commits import commit_all

LOCK = """\
schema: '2.0'
stages:
  download:
    cmd: alexnet download
    outs:
    - {path: data/dataset, hash: md5, md5: 0123.dir, size: 1, nfiles: 1}
"""


def test_a_run_started_by_hand_in_the_repository_carries_its_state(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text(TEXT)
    (tmp_path / "dvc.yaml").write_text("stages: {download: {cmd: alexnet download}}\n")
    (tmp_path / "dvc.lock").write_text(LOCK)
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    context = RepositoryContext()
    assert context.in_context()
    tags = context.tags()
    assert tags["dvc.out.data/dataset"] == "0123.dir"
    assert len(tags["params.sha256"]) == 64
    assert tags["version.tensorflow"]
    assert tags["host.cpus"]


def test_elsewhere_it_says_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not RepositoryContext().in_context()
    assert RepositoryContext().tags() == {}


def test_a_run_of_another_project_that_uses_dvc_is_left_alone(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text("rate: 1\n")
    (tmp_path / "dvc.yaml").write_text("stages: {train: {cmd: python train.py}}\n")
    monkeypatch.chdir(tmp_path)
    assert not RepositoryContext().in_context()
    assert RepositoryContext().tags() == {}


def test_mlflow_finds_it():
    found = metadata.entry_points(group="mlflow.run_context_provider")
    assert [each.load() for each in found if each.name == "alexnet"] == [RepositoryContext]


@pytest.mark.parametrize(("detached", "branch"), [(False, "trunk"), (True, None)])
def test_a_detached_checkout_as_dvc_makes_it_names_no_branch(tmp_path, detached, branch):
    subprocess.run(["git", "init", "-q", "--initial-branch=trunk"], cwd=tmp_path, check=True)
    commit_all(tmp_path)
    if detached:
        subprocess.run(["git", "checkout", "-q", "--detach"], cwd=tmp_path, check=True)
    tags = provenance_tags(tmp_path)
    assert len(tags["mlflow.source.git.commit"]) == 40
    assert tags.get("mlflow.source.git.branch") == branch


@pytest.mark.parametrize(("count", "told"), [(0, None), (2, "00, 01"), (22, "18, 19 and 2 more")])
def test_the_files_that_differ_from_the_commit_are_named(tmp_path, count, told):
    names = [f"{number:02}" for number in range(25)] + ["dvc.lock"]
    for name in names:
        (tmp_path / name).write_text("one\n")
    commit_all(tmp_path)
    for name in [*names[:count], "dvc.lock"]:
        (tmp_path / name).write_text("other\n")
    tags = provenance_tags(tmp_path)
    assert tags["git.dirty"] == str(count > 0).lower()
    assert tags.get("git.changed_files", "").endswith(told or "")
    assert ("git.changed_files" in tags) == (count > 0)


def test_a_tree_of_which_git_cannot_tell_is_neither_clean_nor_changed(tmp_path):
    commit_all(tmp_path)
    (tmp_path / ".git" / "index").write_text("no index")
    tags = provenance_tags(tmp_path)
    assert len(tags["mlflow.source.git.commit"]) == 40
    assert "git.dirty" not in tags
    assert uncommitted_changes(tmp_path) is None


def test_gpus_are_listed_by_the_driver_s_tool(tmp_path, monkeypatch):
    from pipeline.environment.provenance import gpus

    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus("name") == []
    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/sh\n[ "$1" = --query-gpu=name ] && printf "H200\\nH100\\n"\n')
    tool.chmod(0o755)
    assert gpus("name") == ["H200", "H100"]
    tool.write_text("#!/bin/sh\necho NVIDIA-SMI has failed\nexit 9\n")
    assert gpus("name") is None


def test_the_hash_of_the_environment_is_that_of_all_names_and_versions(tmp_path):
    installed = {f"{each.metadata['Name']}=={each.version}".lower() for each in metadata.distributions()}
    assert len(installed) > 50
    expected = hashlib.sha256("\n".join(sorted(installed)).encode()).hexdigest()
    assert provenance_tags(tmp_path)["env.sha256"] == expected


def test_the_machine_of_tags_is_replaced_as_a_whole_if_another_is_known():
    tags = {"mlflow.source.git.commit": "abc", "host.cpus": "2", "host.gpus": "NVIDIA H200", "env.onednn": "0"}
    there = {"host.cpus": "8", "version.python": "3.12.1"}
    assert on_machine(tags, there) == {"mlflow.source.git.commit": "abc"} | there
    assert on_machine(tags, {}) == tags


def test_a_machine_in_words_has_its_gpus_and_what_is_not_known_is_said():
    assert words_of({"host.cpus": "2", "host.cpu": "EPYC", "host.gpus": "H200, H200"}) == "2 cores of EPYC, H200, H200"
    assert words_of({"host.cpus": "2", "host.cpu": "EPYC"}) == "2 cores of EPYC"
    assert words_of({}) == "some cores of a processor that was not recorded"
