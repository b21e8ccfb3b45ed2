import ast
import doctest
import subprocess
import sys

import pytest

import alexnet_tf as an

FINDER = doctest.DocTestFinder()


def in_a_fresh_process(root, program, *arguments):
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.strip()


def test_the_import_costs_nothing(root):
    """Nor do `dir` and `__all__`; oneDNN's switch is set all the same."""
    program = """
import os, sys
os.environ.pop("TF_ENABLE_ONEDNN_OPTS", None)
before = set(sys.modules)
import alexnet_tf
assert set(alexnet_tf.__all__) == set(dir(alexnet_tf))
heavy = {"tensorflow", "keras", "numpy", "pydantic", "PIL"} & set(sys.modules)
ours = sorted(name for name in set(sys.modules) - before if name.startswith("alexnet_tf"))
print(heavy, ours, os.environ.get("TF_ENABLE_ONEDNN_OPTS"))
"""
    assert (
        in_a_fresh_process(root, program)
        == f"{set()} ['alexnet_tf', 'alexnet_tf.devices', 'alexnet_tf.devices.onednn'] 1"
    )


def test_descriptions_need_no_tensorflow(root):
    program = """
import sys, alexnet_tf as an
an.AlexNetSpec(), an.AlexNetBNSpec(), an.FourLayerSpec(), an.alexnet_spec("caffe"), an.ConfigError
print({"tensorflow", "keras"} & set(sys.modules))
"""
    assert in_a_fresh_process(root, program) == "set()"


def test_every_name_is_found_and_type_checkers_see_the_same(root):
    tree = ast.parse((root / "alexnet_tf/__init__.py").read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        node.names[0].asname: f"{node.module.removeprefix('alexnet_tf.')}.{node.names[0].name}" for node in block.body
    }
    assert seen == an._PUBLIC
    for name in an.__all__:
        assert getattr(an, name) is not None
        assert getattr(an, name) is getattr(an, name)
    with pytest.raises(AttributeError, match="'alexnet_tf' has no attribute 'AlexNot'"):
        an.AlexNot  # noqa: B018


def test_no_name_is_hidden_by_a_module(root):
    """`import alexnet_tf.NAME` would put the module where the name was."""
    modules = {path.stem for path in (root / "alexnet_tf").glob("*.py")}
    assert not modules & set(an.__all__)


def documented(name):
    """A public name's docstring, and those of a class's public methods."""
    found = getattr(an, name)
    methods = (getattr(found, each) for each in vars(found)) if isinstance(found, type) else ()
    own = [each for each in methods if callable(each) and not each.__name__.startswith("_")]
    return [found, *(each for each in own if each.__module__ == found.__module__)]


@pytest.mark.parametrize("name", [name for name in an.__all__ if name != "__version__"])
def test_every_public_name_has_an_example_that_works(root, name, monkeypatch):
    monkeypatch.chdir(root)
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_ONLY_FIRST_FAILURE)
    tests = [test for test in FINDER.find(getattr(an, name), name, globs={}) if test.examples]
    assert tests, f"{name} has no example"
    said = []
    for test in tests:
        runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)


@pytest.mark.parametrize("name", [name for name in an.__all__ if name != "__version__"])
def test_what_can_be_called_says_what_it_returns(name):
    for each in documented(name):
        text = each.__doc__
        if isinstance(each, type) or each.__qualname__.endswith(".build"):  # which Keras alone calls
            continue
        assert "Returns:" in text or "Return" in text.splitlines()[0], each
