import os
import stat

import pytest

from alexnet_tf.whole_file import TEMPORARY, remove_unfinished, whole_file, write_json, write_whole


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path):
    path = tmp_path / "a"
    with whole_file(path) as file:
        file.write(b"half")
        assert [each.name.startswith(TEMPORARY) for each in tmp_path.iterdir()] == [True]
    assert [each.name for each in tmp_path.iterdir()] == ["a"]
    assert path.read_bytes() == b"half"


def test_what_breaks_off_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a"
    write_whole(path, "old")

    def interrupted():
        with whole_file(path) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [each.name for each in tmp_path.iterdir()] == ["a"]
    assert path.read_text() == "old"


@pytest.mark.parametrize("sync", [False, True])
def test_it_is_flushed_to_the_disk_where_that_is_asked_for(tmp_path, monkeypatch, sync):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    with whole_file(tmp_path / "a", sync=sync) as file:
        file.write(b"content")
    assert synced == [7] * sync


def test_a_name_may_be_as_long_as_names_get_and_the_rights_are_the_usual_ones(tmp_path):
    write_whole(tmp_path / ("ü" * 127), "größe")
    path = next(tmp_path.iterdir())
    assert path.read_bytes() == "größe".encode()
    (tmp_path / "usual").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_json_is_ascii_in_order_and_knows_no_number_that_is_not_finite(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, 0.5], "a": "ü"})
    assert (tmp_path / "a.json").read_bytes() == b'{\n "a": "\\u00fc",\n "b": [\n  1,\n  0.5\n ]\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "b.json", {"error": float("nan")})
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]


def test_what_a_killed_process_did_not_finish_is_removed_and_nothing_else(tmp_path):
    for name in (f"{TEMPORARY}0123456789abcdef", "whole", ".hidden"):
        (tmp_path / name).touch()
    remove_unfinished(tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == [".hidden", "whole"]
