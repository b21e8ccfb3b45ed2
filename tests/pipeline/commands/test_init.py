import json
import shutil
from pathlib import Path

from click.testing import CliRunner

from pipeline.cli import alexnet
from pipeline.environment.dvc_settings import is_no_scm


def invoke(*arguments):
    return CliRunner().invoke(alexnet, arguments)


def test_init_says_what_to_do_next_and_setup_renews_the_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(alexnet, ["init", "flowers"])
    assert done.exit_code == 0, done.output
    assert "`cd flowers` and `dvc repro`" in done.output
    assert "put the images into data/sources" in done.output
    assert is_no_scm(tmp_path / "flowers")
    monkeypatch.chdir("flowers")
    code = json.loads(Path("code.json").read_text())
    Path("code.json").write_text(json.dumps(code | {"evaluate": "other"}))
    stage = CliRunner().invoke(alexnet, ["evaluate", "faithful"])
    assert (stage.exit_code, "`alexnet setup` renews it" in stage.output) == (1, True)
    assert "`dvc repro` reruns evaluate" in CliRunner().invoke(alexnet, ["setup"]).output
    assert json.loads(Path("code.json").read_text()) == code
    assert "run this in a clone" in CliRunner().invoke(alexnet, ["docs"]).output


def test_init_says_what_it_found_in_the_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("rose/1.jpg", "rose/2.jpg", "rose/notes.txt", "tulip/1.jpg"):
        (tmp_path / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pictures" / name).touch()
    said = invoke("init", "flowers", "--source-folder", "pictures").output
    assert "pictures: 3 images in 2 classes (rose, tulip); not used: train/rose/notes.txt\n" in said
    (tmp_path / "split").mkdir()
    shutil.copytree("pictures", "split/train")
    shutil.copytree("pictures/tulip", "split/val/tulip")
    said = invoke("init", "more", "--source-folder", "split").output
    assert "split: 4 images in 2 classes (rose, tulip): train 3, test 1; not used" in said


def test_what_a_project_has_lost_comes_back_as_the_message_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("flowers", "another"):
        assert invoke("init", name).exit_code == 0
    monkeypatch.chdir("flowers")
    Path("params.yaml").unlink()
    assert "`alexnet use NAME --force` writes a new one, `alexnet use` lists the names" in invoke("params").output
    assert invoke("use").output.startswith("my_images: ")
    assert invoke("use", "my_images", "--force").exit_code == 0
    assert invoke("params").exit_code == 0
    assert "run `git init` and `alexnet setup`, then commit" in invoke("verify").output
    shutil.rmtree(".dvc")
    assert "copy .dvc from a clone, or from a new project" in invoke("setup").output
    shutil.copytree("../another/.dvc", ".dvc")
    assert invoke("setup").exit_code == 0


def test_init_refuses_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").touch()
    for arguments, told in (
        (["."], "new or empty folder"),
        (["new", "--source-folder", "nowhere"], "class folders, found none"),
    ):
        done = CliRunner().invoke(alexnet, ["init", *arguments])
        assert done.exit_code in (1, 2)
        assert told in done.output
        assert len(done.output.strip().splitlines()) == 1
