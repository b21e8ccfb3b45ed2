"""Whether a source that changed after `download` is noticed, by every command that has to."""

import json
import os
import shutil
import subprocess

import pytest
import stub_stages
from click.testing import CliRunner
from dvc_repository import Repository

from pipeline.cli import alexnet
from pipeline.config.load import load
from pipeline.config.local_params import write_source_folder
from pipeline.stages.source_state import COMMAND, USES_SOURCE, listed, remember, state_of


def _images(folder):
    for split, count in (("train", 20), ("val", 2)):
        for name in ("cat", "dog"):
            (folder / split / name).mkdir(parents=True)
            for index in range(count):
                (folder / split / name / f"{index}.jpg").write_bytes(f"{split} {name} {index}".encode())
    return folder


@pytest.fixture
def made(workspace, tmp_path, monkeypatch):
    """A data set that was made from class folders, as far as its manifest goes; returns these and the state."""
    path = workspace.root / "params.yaml"
    path.write_text(path.read_text().replace("source: sample", "source: image_folder"))
    images = _images(tmp_path / "images")
    write_source_folder(workspace.root, str(images))
    (workspace.root / "data/dataset").mkdir(parents=True)
    (workspace.root / "data/dataset/manifest.json").write_text(json.dumps({"source": "image_folder"}))
    monkeypatch.chdir(workspace.root)

    def source():
        config = load(path.parent)
        return config.values["download"]["source"], workspace.located(config.runtime.source_folder)

    remember(workspace, *source(), listed(*source()))
    return images, lambda: state_of(workspace, *source())


def _add(images):
    (images / "train/cat/new.jpg").write_bytes(b"new")


def _add_words(images):
    (images / "words.txt").write_text("n01440764\ttench\n")


def _remove(images):
    (images / "val/dog/1.jpg").unlink()


def _mend(images):
    file = images / "train/cat/3.jpg"
    file.write_bytes(bytes(reversed(file.read_bytes())))


def _touch(images):
    os.utime(images / "train/dog/1.jpg", (0, 0))


def _rename(images):
    (images / "train/dog/1.jpg").rename(images / "train/dog/01.jpg")


@pytest.mark.parametrize("change", [_add, _add_words, _remove, _mend, _touch, _rename])
def test_a_changed_source_is_noticed(made, change):
    images, state = made
    assert state().name == "current"
    change(images)
    name, told = state()
    assert name == "changed"
    assert told.startswith(f"{images} has changed since data/dataset was made from it (44 files of 496 bytes")
    assert f"`{COMMAND}` reads it again" in told


def test_files_that_are_not_of_the_data_set_do_not_matter(made):
    images, state = made
    (images / "train.zip").write_bytes(b"whence it came")
    (images / "train/cat/.thumbnails").write_bytes(b"hidden")
    assert state().name == "current"


def test_another_folder_is_told_from_one_that_was_moved(made, workspace, tmp_path):
    images, state = made
    for name, expected in (("copied", "current"), ("other", "changed")):
        shutil.copytree(images, tmp_path / name)  # with the times
        if name == "other":
            _remove(tmp_path / name)
        write_source_folder(workspace.root, str(tmp_path / name))
        assert state().name == expected


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_that_is_gone_or_empty_stops_nothing(made, there):
    images, state = made
    shutil.rmtree(images)
    if there:  # as the mount point of a disk that was unplugged
        images.mkdir()
    assert state() == ("nothing", "")


def test_another_source_is_for_dvc_to_see(made, workspace):
    images, state = made
    _add(images)
    path = workspace.root / "params.yaml"
    path.write_text(path.read_text().replace("source: image_folder", "source: imagenet2012"))
    assert state().name == "nothing"


def test_a_data_set_of_another_content_has_no_record(made, workspace):
    (workspace.root / "data/dataset/manifest.json").write_text(json.dumps({"source": "image_folder", "n": 1}))
    name, told = made[1]()
    assert name == "unrecorded"
    assert "no record here" in told
    assert COMMAND in told


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_a_broken_manifest_is_left_to_the_stage_that_reads_it(made, workspace, content):
    (workspace.root / "data/dataset/manifest.json").write_text(content)
    assert made[1]().name == "nothing"


def test_commands_that_use_the_data_stop_and_others_tell(made, workspace):
    images, _ = made
    assert "data/dataset was made from it" in CliRunner().invoke(alexnet, ["doctor"]).output
    _mend(images)
    for stage in USES_SOURCE:
        entry = {"preprocess": ["large"], "statistics": ["large"], "train": ["faithful"]}.get(stage, [])
        done = CliRunner().invoke(alexnet, [stage, *entry])
        assert (done.exit_code, COMMAND in done.stderr) == (1, True), stage
        assert not (workspace.root / "reports").exists()
    assert "-> dvc repro -f download" in CliRunner().invoke(alexnet, ["doctor"]).output
    on = CliRunner().invoke(alexnet, ["train", "faithful", "-S", "runtime.source_folder=null"])
    assert "data/records/large is missing" in on.stderr
    (workspace.root / ".dvc").mkdir()
    subprocess.run(["git", "init", "-q"], check=True)
    stopped = CliRunner().invoke(alexnet, ["setup"])
    assert (stopped.exit_code, COMMAND in stopped.stderr) == (1, True)
    (workspace.root / "experiments").mkdir()
    shutil.copyfile(workspace.root / "params.yaml", workspace.root / "experiments/mine.yaml")
    used = CliRunner().invoke(alexnet, ["use", "mine"])
    assert (used.exit_code, COMMAND in used.stderr) == (0, True)


@pytest.mark.slow
def test_dvc_trains_on_no_stale_data(tmp_path):
    """Real `dvc repro` and the real download of class folders, stubs after it."""
    repository = Repository(tmp_path)
    root, images = repository.root, _images(tmp_path / "images")
    for path in (stub_stages.ROOT / "alexnet_tf").glob("*.py"):
        shutil.copyfile(path, root / "alexnet_tf" / path.name)
    shutil.copyfile(stub_stages.ROOT / "components/download.py", root / "components/download.py")
    shutil.copytree(stub_stages.ROOT / "components/sources", root / "components/sources")
    for old, new in (
        ("source: sample", "source: image_folder"),
        ("validation_share: 0.1", "validation_share: 0.3"),
        ("    images_per_class: null", "    classes: null\n    images_per_class: null"),
        ("_per_class: 4", "_per_class: 4\n    validation_images_per_class: 1\n    test_images_per_class: 1"),
    ):
        repository.edit(old, new)
    stub_stages.refresh_code_lists(root)
    write_source_folder(root, str(images))
    repository.commit()

    def train(epochs: int, *, works: bool) -> str:
        text = (root / "params.yaml").read_text()
        earlier = next(line for line in text.splitlines() if line.startswith("      epochs:"))
        repository.edit(earlier, f"      epochs: {epochs}")
        done = repository.run("dvc", "repro", "train@faithful", check=False)
        assert (done.returncode == 0) == works, done.stdout + done.stderr
        return done.stdout if works else done.stderr

    def manifest() -> bytes:
        return (root / "data/dataset/manifest.json").read_bytes()

    assert "Running stage 'train@faithful'" in train(20, works=True)
    first = manifest()
    for number, change in enumerate((_add, _mend)):
        change(images)
        assert f"`{COMMAND}` reads it again" in train(21 + number, works=False)
        before = manifest()
        repository.run(*COMMAND.split())
        assert manifest() != before
        assert "Running stage 'preprocess@large'" in train(21 + number, works=True)
    _touch(images)
    assert COMMAND in train(30, works=False)
    before = manifest()
    repository.run(*COMMAND.split())
    assert manifest() == before != first
    assert "Stage 'preprocess@large' didn't change" in train(30, works=True)
    os.utime(images / "train/dog/1.jpg", (1, 1))
    repository.run(*COMMAND.split())
    assert "Running stage" not in repository.run("dvc", "repro", "train@faithful").stdout  # equal bytes retrain nothing
    _remove(images)
    assert COMMAND in train(31, works=False)
    assert (
        "Running stage 'train@faithful'"
        in repository.run("dvc", "exp", "run", "train@faithful", "-S", "runtime.source_folder=null").stdout
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"digest": '])
def test_a_record_that_is_broken_is_as_none(made, workspace, text):
    (record,) = (workspace.scratch / "sources").iterdir()
    record.write_text(text)
    assert made[1]().name == "unrecorded"
