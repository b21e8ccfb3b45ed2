import os
import shlex
import subprocess
import sys

import pytest
import stub_stages
from click.shell_completion import get_completion_class

from pipeline.cli import alexnet

HEAVY = ("tensorflow", "keras", "mlflow", "apache_beam", "pandas", "dvc")


def offered(*words):
    """What Tab offers after the last of `words`, which is the beginning of the next one."""
    *complete, incomplete = words
    shell = get_completion_class("bash")(alexnet, {}, "alexnet", "_ALEXNET_COMPLETE")
    return [item.value for item in shell.get_completions(complete, incomplete)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = stub_stages.make_repository(tmp_path_factory.mktemp("completion") / "repository")
    (made / "experiments").mkdir()
    for name in ("cifar10", "cifar100", "sample"):
        (made / f"experiments/{name}.yaml").touch()
    for name in ("mine", "yours"):
        (made / f"results/pretrained/{name}").mkdir(parents=True)
        (made / f"results/pretrained/{name}/model.json").touch()
    return made


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("tr",), ["train", "track"]),
        (("track", "re"), ["rebuild", "relocate"]),
        (("train", ""), ["faithful", "optimized"]),
        (("evaluate", "f"), ["faithful"]),
        (("preprocess", ""), ["large", "small"]),
        (("promote", "o"), ["optimized"]),
        (("summary", "o"), ["optimized"]),
        (("predict", "--variant", "o"), ["optimized"]),
        (("use", "cifar"), ["cifar10", "cifar100"]),
        (("results", "figure1", "s"), ["sample"]),
        (("predict", "--pretrained", ""), ["cifar10", "cifar10_jpeg", "mine", "yours"]),
        (("results", "publish", "optimized", "m"), ["mine"]),
        (("verify", "train@"), ["train@faithful", "train@optimized"]),
        (("params", "-S", "se"), ["seed="]),
        (("params", "-S", "seed="), ["seed=2012"]),
        (("params", "-S", "seed=7"), []),
        (("train", "faithful", "-S", "variants.faithful.training.sch"), ["variants.faithful.training.schedule.name="]),
        (("train", "faithful", "--set", "images.l"), ["images.large.size=", "images.large.stored_size="]),
        (("train", "faithful", ""), []),
        (("trian", "tra"), ["train", "track"]),
    ],
)
def test_tab_offers_what_the_repository_has(here, words, expected):
    assert offered(*words) == expected


def test_a_result_is_completed_as_a_file(here):
    shell = get_completion_class("bash")(alexnet, {}, "alexnet", "_ALEXNET_COMPLETE")
    (item,) = shell.get_completions(["verify"], "results/")
    assert (item.type, item.value) == ("file", "results/")


def test_a_key_shows_its_value(here):
    shell = get_completion_class("zsh")(alexnet, {}, "alexnet", "_ALEXNET_COMPLETE")
    (item,) = shell.get_completions(["params", "-S"], "seed")
    assert (item.value, item.help) == ("seed=", "2012")


def test_a_params_yaml_that_is_being_edited_offers_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {download: {cmd: alexnet download}}\n")
    (tmp_path / "params.yaml").write_text("variants: {")
    assert offered("train", "") == offered("params", "-S", "") == []


def _complete(folder, root, *words):
    """Press Tab as bash does: a process of its own."""
    code = f"""
import sys
sys.path.insert(0, {str(root)!r})
from pipeline.cli import main
try:
    main()
finally:
    print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    asked = {"_ALEXNET_COMPLETE": "bash_complete", "COMP_LINE": " ".join(words), "COMP_WORDBREAKS": "=@"}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=os.environ | asked, capture_output=True, text=True, check=True
    )


@pytest.mark.parametrize(
    ("words", "expected", "outside"),
    [
        (("alexnet", "use", "tiny"), "plain,tiny_imagenet\n", "\n"),
        (
            ("alexnet", "predict", "--pretrained", "cif"),
            "plain,cifar10\nplain,cifar10_jpeg\n",
            "plain,cifar10\nplain,cifar10_jpeg\n",
        ),
        (("alexnet", "train", "faithful", "-S", "see"), "plain,seed=\n", "\n"),
    ],
)
def test_tab_is_quick_and_silent_outside_a_repository(tmp_path, root, words, expected, outside):
    done = _complete(root, root, *words)
    assert (done.stdout, done.stderr) == (expected, "[]\n")
    done = _complete(tmp_path, root, *words)
    assert (done.stdout, done.stderr) == (outside, "[]\n")


@pytest.mark.parametrize(
    ("line", "point", "divided", "expected"),
    [
        ("alexnet train faithful -S see", None, "train faithful -S see", "-o nospace\nseed=\n"),
        ("alexnet train f", None, "train f", "faithful\n"),
        ("alexnet verify train@", None, "verify train @", "faithful optimized\n"),
        ("alexnet verify train@op --json", 23, "verify train @ op", "optimized\n"),  # the cursor in the middle
        ("alexnet verify 'train@op", None, "verify 'train@op", "train@optimized\n"),
        ("alexnet params -S seed=", None, "params -S seed =", "2012\n"),
    ],
)
def test_bash_puts_what_is_offered_after_the_last_of_its_own_word_breaks(here, line, point, divided, expected):
    """It divides `train@op` into three words; the value follows `KEY=` without a space, and a variant has one."""
    script = get_completion_class("bash")(alexnet, {}, "alexnet", "_ALEXNET_COMPLETE").source()
    words = ["alexnet", *divided.split(" ")]
    text = f"""{script}
    compopt() {{ echo "$@"; }}
    COMP_LINE={shlex.quote(line)}; COMP_POINT={len(line) if point is None else point}
    COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}
    _alexnet_completion alexnet; echo "${{COMPREPLY[@]}}"
    """
    # The function asks the command that it was registered for, here one of this environment.
    done = subprocess.run(["bash", "--norc", "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout == expected
    assert done.stderr == ""
