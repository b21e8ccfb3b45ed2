import pytest
from pydantic import TypeAdapter

from alexnet_tf.errors import AlexNetError, DataError
from pipeline.environment.checked_file import read_as

KIND = TypeAdapter(dict[str, list[int]])


def test_a_file_is_read_by_its_name_as_json_or_as_yaml(tmp_path):
    (tmp_path / "a.json").write_text('{"one": [1]}')
    (tmp_path / "a.yaml").write_text("one: [1]")
    assert read_as(KIND, tmp_path, "a.json") == read_as(KIND, tmp_path, "a.yaml") == {"one": [1]}


@pytest.mark.parametrize(
    ("name", "text", "kind", "told"),
    [
        ("a.yaml", "one: [x]", DataError, r"^a\.yaml: one\.0: Input should be a valid integer.*; correct it there$"),
        ("a.json", "[]", DataError, r"^a\.json: Input should be .*; correct it there$"),
        ("a.json", "{", DataError, r"^a\.json: Invalid JSON: .*; correct it there$"),
        ("a.yaml", "one: [", AlexNetError, r"^a\.yaml, line 1.*; correct the YAML there$"),
        ("a.yaml", None, AlexNetError, r"^a\.yaml: cannot be read \(No such file.*: `git restore a\.yaml`$"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path, name, text, kind, told):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(kind, match=told):
        read_as(KIND, tmp_path, name)
