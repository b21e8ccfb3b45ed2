import json

import pytest

from alexnet_tf.errors import AlexNetError
from pipeline.config.load import load
from pipeline.stages import installed_code
from pipeline.stages.dvc_lock import Lock
from pipeline.stages.fingerprint import fingerprint
from pipeline.stages.installed_code import CODE_FILE, code_root, renew, require_current
from pipeline.stages.table import STAGES


@pytest.fixture
def project(tmp_path):
    installed_code.write(tmp_path)
    return tmp_path


def with_other_code(project, stage):
    content = json.loads((project / CODE_FILE).read_text())
    (project / CODE_FILE).write_text(json.dumps(content | {stage: "other", "alexnet-tf": "0.0.9"}))


def test_a_clone_has_its_own_code_and_no_file(tmp_path):
    assert code_root(tmp_path) == tmp_path
    require_current(tmp_path, "train")
    assert renew(tmp_path) == []
    assert not (tmp_path / CODE_FILE).exists()


def test_a_project_has_the_installed_code_a_line_a_stage(project, root):
    assert code_root(project) == root
    content = json.loads((project / CODE_FILE).read_text())
    assert list(content) == ["alexnet-tf", *STAGES]
    assert len(set(content.values())) == len(content)


def test_other_code_stops_a_stage_until_setup_renews_the_file(project):
    require_current(project, "train")
    with_other_code(project, "train")
    with pytest.raises(AlexNetError, match=r"code of train in .*found that of 0\.0\.9; `alexnet setup` renews it"):
        require_current(project, "train")
    require_current(project, "evaluate")
    assert renew(project) == ["train"]
    require_current(project, "train")
    (project / CODE_FILE).write_text("{")
    with pytest.raises(AlexNetError, match="found that of no version"):
        require_current(project, "train")
    assert renew(project) == list(STAGES)


def test_a_stage_of_other_code_is_not_current(project, sample_project):
    item = load(sample_project).item("download")
    code = json.loads((project / CODE_FILE).read_text())
    entry = {"params": {"params.yaml": {}, CODE_FILE: {"download": code["download"]}}}
    assert Lock({"stages": {"download": entry}}).is_current(project, item, {})
    with_other_code(project, "train")
    assert Lock({"stages": {"download": entry}}).is_current(project, item, {})
    with_other_code(project, "download")
    assert not Lock({"stages": {"download": entry}}).is_current(project, item, {})


def test_a_checkpoint_of_a_project_is_of_the_installed_code(project, root, sample_project, monkeypatch):
    config = load(sample_project)
    item = config.item("download")
    before = fingerprint(project, item, config.params["download"])
    assert before == fingerprint(root, item, config.params["download"])
    monkeypatch.setattr(installed_code, "code_folder", lambda: project)
    assert fingerprint(project, item, config.params["download"]) != before
