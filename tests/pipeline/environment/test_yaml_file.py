import pytest
import yaml

from alexnet_tf.errors import ConfigError
from pipeline.environment.yaml_file import parse, with_overrides


def test_overrides_leave_the_content_alone():
    content = {"a": {"b": 1}}
    assert with_overrides(content, ["a.b=2"])[0] == {"a": {"b": 2}}
    assert content == {"a": {"b": 1}}


def test_both_versions_of_yaml_agree_on_params_yaml(root):
    """DVC reads 1.2; people and editors often 1.1, where 5e-4 is a word and 010 is 8."""
    for path in [root / "params.yaml", *sorted((root / "experiments").glob("*.yaml"))]:
        text = path.read_text(encoding="utf-8")
        assert parse(text, path.name) == yaml.safe_load(text), path.name


def test_a_merge_conflict_is_named():
    text = "seed: 1\n<<<<<<< HEAD\nepochs: 2\n=======\nepochs: 3\n>>>>>>> longer\n"
    with pytest.raises(ConfigError, match=r"params.yaml, line 2: a merge conflict is not resolved \(<<<<<<< HEAD\); "):
        parse(text, "params.yaml")


def test_lists_in_lists_without_end_are_one_sentence():
    with pytest.raises(ConfigError, match="x: lists or sections are nested too deeply"):
        parse("a: " + "[" * 3000 + "]" * 3000, "x")
