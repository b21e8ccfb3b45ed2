import errno
import json
import subprocess

import pytest
from clone import SMALL, edit
from PIL import Image

from alexnet_tf.errors import ConfigError, DataError
from alexnet_tf.sample.generate import generate
from pipeline.config.load import load
from pipeline.environment.workspace import workspace_around
from pipeline.project.create import create
from pipeline.stages import installed_code
from pipeline.stages.installed_code import CODE_FILE


@pytest.fixture
def pictures(tmp_path):
    """Class folders without train/."""
    for name in ("rose", "tulip"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        Image.new("RGB", (40, 50)).save(tmp_path / "pictures" / name / "1.png")
    return tmp_path / "pictures"


def test_a_project_has_valid_parameters_and_what_every_stage_reads(tmp_path, pictures):
    create(tmp_path / "flowers", pictures)
    workspace = workspace_around(tmp_path / "flowers")
    config = load(workspace.root)
    assert config.values["download"]["source"] == "image_folder"
    assert workspace.located(config.runtime.source_folder) == pictures
    assert str(pictures) not in (workspace.root / "params.yaml").read_text()  # which Git keeps
    for name in ("dvc.yaml", ".gitignore", ".dvcignore", ".dvc/config", "README.md", CODE_FILE):
        assert (workspace.root / name).stat().st_size, name
    assert (workspace.root / "schemas").is_dir()
    assert (workspace.root / "results/champions").is_dir()


def test_a_project_without_a_source_looks_for_it_inside(tmp_path):
    (tmp_path / "empty").mkdir()
    create(tmp_path / "empty", None)
    assert not (tmp_path / "empty/params.local.yaml").exists()
    assert load(tmp_path / "empty").runtime.source_folder == "data/sources"


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(ConfigError, match=r"expected a new or empty folder, found photo\.jpg in it"):
        create(tmp_path, None)
    with pytest.raises(ConfigError, match="expected a new or empty folder, found a file"):
        create(tmp_path / "photo.jpg", None)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_no_project_is_made_inside_a_clone_or_another_project(tmp_path, root):
    create(tmp_path / "one", None)
    for folder in (tmp_path / "one/two", root / "docs/new"):
        with pytest.raises(ConfigError, match=r"is inside .*; choose a folder elsewhere, .*use my_images"):
            create(folder, None)
        assert not folder.exists()


def test_a_source_without_class_folders_is_refused_before_anything_is_written(tmp_path, pictures):
    for path in list(pictures.rglob("*.png")):
        path.rename(pictures / f"{path.parent.name}.png")
        path.parent.rmdir()
    with pytest.raises(DataError, match="expected train/ or a folder for each class"):
        create(tmp_path / "flowers", pictures)
    assert not (tmp_path / "flowers").exists()


def test_a_project_among_its_own_images_is_refused(pictures):
    with pytest.raises(ConfigError, match=r"pictures/project: expected a folder outside of .*/pictures, which has the"):
        create(pictures / "project", pictures)
    assert not (pictures / "project").exists()


@pytest.mark.slow
def test_dvc_runs_a_project_with_the_installed_package(tmp_path, monkeypatch):
    """Every stage, then nothing; after an upgrade, the stages whose code is other."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    for label in (0, 7):
        (tmp_path / f"pictures/{label}").mkdir(parents=True)
        for index in range(20, 60):
            name, content = generate("train", label, index, 1)
            (tmp_path / f"pictures/{label}/{name}").write_bytes(content)

    def run(*command, folder=tmp_path / "project"):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return [line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage '")]

    run("alexnet", "init", "project", "--source-folder", "pictures", folder=tmp_path)
    edit(tmp_path / "project/params.yaml", {k: v for k, v in SMALL.items() if not k.startswith("download.sample")})
    assert len(run("dvc", "repro")) == 13
    assert run("dvc", "repro") == []
    run("alexnet", "report")
    with_other_code = (tmp_path / "project/code.json").read_text().replace('"compare": "', '"compare": "other')
    (tmp_path / "project/code.json").write_text(with_other_code)
    status = subprocess.run(["dvc", "status", "--json"], cwd=tmp_path / "project", capture_output=True, check=True)
    assert set(json.loads(status.stdout)) == {"compare"}
    run("alexnet", "setup")
    assert run("dvc", "repro") == []  # the code is again that of the lock


@pytest.mark.parametrize("was_there", [True, False])
def test_after_a_full_disk_the_same_command_works(tmp_path, monkeypatch, was_there):
    folder = tmp_path / "flowers"
    if was_there:
        folder.mkdir()

    def full(_root):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(installed_code, "write", full)
        with pytest.raises(OSError, match="No space left"):
            create(folder, None)
    assert folder.exists() == was_there
    create(folder, None)
    assert load(folder)
