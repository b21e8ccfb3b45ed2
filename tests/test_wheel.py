"""The wheel: what is in it, what its base may import, and that a fresh environment of it alone works."""

import ast
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from clone import ROOT
from packaging.requirements import Requirement

PACKAGES = ("alexnet_tf", "components", "pipeline")
IMPORTED_AS = {"Pillow": "PIL", "ImageHash": "imagehash", "ruamel.yaml": "ruamel"}
WITH_THE_EXTRA = ("alexnet_tf/validation/", "alexnet_tf/plotting.py")
"""The parts of the library that only stages use: protos and perceptual hashes, and figures."""
WITH_THEM = {"google": "tensorflow-metadata", "pydantic_core": "pydantic", "typing_extensions": "pydantic"}
"""Modules of packages that a dependency brings."""


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def modules_of(requirements):
    names = [Requirement(each).name for each in requirements]
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def foreign(paths):
    return {name for path in paths for name in imported(path)} - set(sys.stdlib_module_names) - set(PACKAGES)


def sources(*packages):
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def test_every_package_and_every_file_of_one_is_in_the_wheel(project):
    settings = project["tool"]["setuptools"]
    places = settings["package-dir"]
    folders = {path.parent.relative_to(ROOT).as_posix() for path in sources(*PACKAGES) if path.name == "__init__.py"}
    wanted = {folder.replace("/", ".") for folder in folders} | set(places) | {"alexnet_tf.photos"}  # of pictures
    assert set(settings["packages"]) == wanted
    tracked = subprocess.run(["git", "ls-files", *PACKAGES, *places.values()], cwd=ROOT, capture_output=True, text=True)
    data = {ROOT / name for name in tracked.stdout.splitlines() if not name.endswith(".py")}
    packed = {
        path
        for package, patterns in settings["package-data"].items()
        for pattern in patterns
        for path in (ROOT / places.get(package, package.replace(".", "/"))).glob(pattern)
        if path.is_file()
    }
    assert data
    assert data <= packed
    assert ROOT / "alexnet_tf/py.typed" in packed  # without it type checkers take every name for Any


def test_the_library_imports_only_what_the_base_installs(project):
    files = [path for path in sources("alexnet_tf") if not path.relative_to(ROOT).as_posix().startswith(WITH_THE_EXTRA)]
    extras = project["project"]["optional-dependencies"]
    own_extras = {name for extra in set(extras) - {"pipeline"} for name in modules_of(extras[extra])}  # of one function
    assert foreign(files) - own_extras == modules_of(project["project"]["dependencies"])


def test_all_else_imports_only_what_the_extra_installs(project):
    extras = project["project"]["optional-dependencies"]
    installed = modules_of(
        [*project["project"]["dependencies"], *(each for extra in extras.values() for each in extra)]
    )
    assert foreign(sources(*PACKAGES)) - installed <= set(WITH_THEM)


def test_the_command_without_the_extra_says_what_brings_it():
    program = "import sys; sys.modules['click'] = None; from pipeline.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        "error: alexnet: the module click, which the pipeline needs, is not installed; install the extra, in a clone "
        "`pip install -c constraints.txt -e '.[pipeline]'`, else `pip install 'WHEEL[pipeline]'`\n"
    )


def test_a_module_of_our_own_that_is_missing_is_no_missing_extra():
    program = "import sys; sys.modules['pipeline.cli'] = None; from pipeline.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert "ModuleNotFoundError" in done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of the tracked files, built where it leaves nothing in the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / "source" / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, folder / "source"]
    subprocess.run(command, check=True)
    [path] = folder.glob("*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_has_the_model_and_the_projects_files(wheel, project):
    names = zipfile.ZipFile(wheel).namelist()
    assert "alexnet_tf/pretrained/cifar10/weights.safetensors" in names
    assert "alexnet_tf/py.typed" in names
    assert "pipeline/project/files/dvc_yaml" in names
    assert wheel.stat().st_size < 10_000_000
    [found] = importlib.metadata.Distribution.discover(path=[str(wheel)])
    base = {each.partition(";")[0].strip() for each in found.requires if "extra ==" not in each}
    assert {Requirement(each).name for each in base} == {
        Requirement(each).name for each in project["project"]["dependencies"]
    }


@pytest.mark.slow
def test_three_lines_in_an_empty_folder_of_a_fresh_environment(wheel, tmp_path):
    venv.create(tmp_path / "environment", with_pip=True)
    programs = tmp_path / "environment/bin"
    install = [programs / "python", "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel]
    subprocess.run(install, check=True)
    (tmp_path / "empty").mkdir()
    shutil.copy(ROOT / "docs/img/report-phone.png", tmp_path / "empty/photo.jpg")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    lines = (
        'import alexnet_tf as an\nmodel = an.load_pretrained("cifar10")\nprint(*model.predict("photo.jpg")[0][0])'
        # What it needs is in this environment alone.
        "\nprint(an.__file__)"
    )
    done = subprocess.run(
        [programs / "python", "-c", lines], cwd=tmp_path / "empty", env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    names, origin = done.stdout.splitlines()
    assert len(set(names.split())) == 5
    model = json.loads((ROOT / "results/pretrained/cifar10/model.json").read_text(encoding="utf-8"))
    assert set(names.split()) <= set(model["class_names"])
    assert Path(origin).is_relative_to(tmp_path / "environment")
    told = subprocess.run(
        [programs / "alexnet", "doctor"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert "pip install 'WHEEL[pipeline]'" in told.stderr
