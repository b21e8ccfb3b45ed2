"""A source that changes after `download`: real `dvc repro`, the real download of class folders, stubs after it."""

import os
import shutil

import pytest
import stub_stages
from dvc_repository import Repository

from pipeline.source_state import COMMAND

PARAMS = (
    ("source: sample", "source: image_folder"),
    ("validation_share: 0.1", "validation_share: 0.3"),
    ("    images_per_class: null", "    classes: null\n    images_per_class: null"),
    (
        "    train_images_per_class: 4",
        "    train_images_per_class: 4\n    validation_images_per_class: 1\n    test_images_per_class: 1",
    ),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stale")
    repository = Repository(folder)
    root = repository.root
    for path in (stub_stages.ROOT / "alexnet_tf").glob("*.py"):
        shutil.copyfile(path, root / "alexnet_tf" / path.name)
    shutil.copyfile(stub_stages.ROOT / "components/download.py", root / "components/download.py")
    shutil.copytree(stub_stages.ROOT / "components/sources", root / "components/sources")
    for old, new in PARAMS:
        repository.edit(old, new)
    repository.run("python", "-m", "pipeline.code_deps", "--write")
    repository.commit()
    images = folder / "images"
    for split, count in (("train", 20), ("val", 2)):
        for name in ("cat", "dog"):
            (images / split / name).mkdir(parents=True)
            for index in range(count):
                (images / split / name / f"{index}.jpg").write_bytes(f"{split} {name} {index}".encode())
    assert "data/dataset" not in repository.run("alexnet", "use", "--help").stderr
    (root / "params.local.yaml").write_text(f"runtime: {{source_folder: {images}}}\n")
    repository.run("dvc", "repro")
    return repository, images


@pytest.fixture
def stale(made):
    """The repository and its images, up to date with each other at the end of every test."""
    yield made
    made[0].run(*COMMAND.split())
    made[0].run("dvc", "repro")


def _epochs(repository, number):
    """Ask for another training, so that `dvc repro` starts one on the data set that is there."""
    path = repository.root / "params.yaml"
    lines = [f"      epochs: {number}" if "epochs:" in line and "{" not in line else line
             for line in path.read_text().splitlines()]  # fmt: skip
    path.write_text("\n".join(lines) + "\n")


def _stopped(repository, epochs):
    _epochs(repository, epochs)
    done = repository.run("dvc", "repro", check=False)
    assert done.returncode, done.stdout
    assert f"`{COMMAND}` reads it again" in done.stderr
    assert repository.run("alexnet", "setup", check=False).returncode == 1
    assert "changed since" in repository.run("alexnet", "doctor", check=False).stdout
    return done.stderr


def test_a_new_file_stops_a_training_until_it_is_read(stale):
    repository, images = stale
    repository.run("alexnet", "setup")
    (images / "train/cat/new.jpg").write_bytes(b"new")
    told = _stopped(repository, 21)
    assert "(44 files of 498 bytes then, 45 files of 501 bytes now)" in told
    before = (repository.root / "data/dataset/manifest.json").read_bytes()
    repository.run(*COMMAND.split())
    assert (repository.root / "data/dataset/manifest.json").read_bytes() != before
    assert "Running stage 'train@faithful'" in repository.run("dvc", "repro").stdout


def test_a_file_mended_in_place_is_seen(stale):
    repository, images = stale
    file = images / "train/cat/3.jpg"
    file.write_bytes(bytes(reversed(file.read_bytes())))
    assert "some of them newer or renamed" in _stopped(repository, 22)


def test_another_source_folder_is_seen(stale, tmp_path):
    repository, images = stale
    other = tmp_path / "others"
    shutil.copytree(images, other)  # with the times
    local = repository.root / "params.local.yaml"
    text = local.read_text()
    local.write_text(text.replace(str(images), str(other)))
    _epochs(repository, 23)
    assert "Running stage 'train@faithful'" in repository.run("dvc", "repro").stdout  # a folder that moved
    (other / "train/cat/0.jpg").unlink()
    _stopped(repository, 24)
    local.write_text(text)


def test_a_touched_file_is_read_again_and_retrains_nothing(stale):
    repository, images = stale
    os.utime(images / "train/dog/1.jpg", (0, 0))
    _stopped(repository, 25)
    repository.run(*COMMAND.split())
    ran = repository.run("dvc", "repro").stdout
    assert "Stage 'preprocess@large' didn't change" in ran
    assert "Running stage 'train@faithful'" in ran  # for its epochs, not for the touch
    os.utime(images / "train/dog/1.jpg", (1, 1))
    repository.run(*COMMAND.split())
    assert "Running stage" not in repository.run("dvc", "repro").stdout


def test_without_its_folder_work_goes_on(stale):
    repository, images = stale
    images.rename(images.with_name("unplugged"))
    try:
        for there in (False, True):  # a mount point stays as an empty folder
            if there:
                images.mkdir()
            _epochs(repository, 26 + there)
            assert "Running stage 'train@faithful'" in repository.run("dvc", "repro").stdout
        images.rmdir()
    finally:
        images.with_name("unplugged").rename(images)


def test_null_goes_on_with_the_images_as_they_were(stale):
    repository, images = stale
    (images / "train/cat/newer.jpg").write_bytes(b"newer")
    _stopped(repository, 28)
    repository.run("dvc", "exp", "run", "-S", "runtime.source_folder=null")
    repository.run("git", "checkout", "params.yaml")


def test_a_data_set_without_a_record_is_told(stale):
    repository, _ = stale
    shutil.rmtree(repository.root / ".alexnet/sources")
    assert "no record here says" in repository.run("alexnet", "setup").stdout
    _epochs(repository, 29)
    assert "no record here says" in repository.run("dvc", "repro").stderr
