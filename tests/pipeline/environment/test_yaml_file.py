import yaml

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
