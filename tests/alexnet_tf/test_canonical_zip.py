import zipfile

import numpy as np
import pytest

from alexnet_tf import canonical_zip
from alexnet_tf.canonical_zip import write_npz, write_zip


def test_zipfile_reads_it(tmp_path):
    members = {"b.txt": b"second" * 1000, "a/c.txt": b"", "a.txt": b"first"}
    write_zip(tmp_path / "a.zip", members)
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        assert file.namelist() == ["a.txt", "a/c.txt", "b.txt"]
        assert file.testzip() is None
        assert {name: file.read(name) for name in file.namelist()} == members


def test_equal_members_are_equal_bytes(tmp_path):
    members = {"a": b"1", "b": b"2"}
    write_zip(tmp_path / "a.zip", members)
    write_zip(tmp_path / "b.zip", dict(reversed(members.items())))
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_numpy_reads_it(tmp_path):
    arrays = {"num": np.array(3), "words": np.array(["a", "größe"]), "turned": np.arange(6).reshape(2, 3).T}
    write_npz(tmp_path / "a.npz", arrays)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as found:
        assert sorted(found.files) == sorted(arrays)
        for name, expected in arrays.items():
            np.testing.assert_array_equal(found[name], expected)


def test_no_zip_is_written_that_the_format_cannot_hold(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="expected less than 4 GiB in less than 65,536 files"):
        write_zip(tmp_path / "a.zip", dict.fromkeys(map(str, range(65_536)), b""))
    monkeypatch.setattr(canonical_zip, "_MAX_BYTES", 10_000)
    with pytest.raises(ValueError, match="expected less than 4 GiB"):
        write_zip(tmp_path / "a.zip", {"a": bytes(9_500)})
    assert not (tmp_path / "a.zip").exists()
