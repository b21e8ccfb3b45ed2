"""Arrays on disk: NumPy's bytes, and the operating system's word where there is no room for them."""

import errno
import re
import resource
import tokenize

import numpy as np
import pytest

from alexnet_tf.data.colour_statistics import save_statistics
from alexnet_tf.data.moments import Moments
from alexnet_tf.data.npy_file import load_npy, save_npy
from alexnet_tf.data.record_dataset import INDEX
from components.preprocess_shards import join_parts

TOO_LARGE = re.escape(f"[Errno {errno.EFBIG}]")


@pytest.fixture
def small_files():
    """Lets no file grow beyond 4096 bytes, as a full disk would not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    "array", [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.eye(3)), np.zeros(2, "u1,i8"), np.empty(0, np.int32)]
)
def test_the_bytes_are_those_of_numpy(tmp_path, array):
    np.save(tmp_path / "numpy.npy", array)
    save_npy(tmp_path / "ours.npy", array)
    assert (tmp_path / "ours.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()
    loaded = load_npy(tmp_path / "ours.npy")
    assert loaded.dtype == array.dtype
    np.testing.assert_array_equal(loaded, array)


def test_a_damaged_header_is_a_value_error(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((2, 3), np.float32))
    whole = path.read_bytes()
    header = whole[:128]
    refused = set()
    for position in range(len(header)):
        for value in b"\x00',(BL}":
            path.write_bytes(whole[:position] + bytes([value]) + whole[position + 1 :])
            try:
                load_npy(path)
            except ValueError as error:
                refused.add(type(error.__cause__))
    assert refused == {ValueError, TypeError, SyntaxError, tokenize.TokenError}
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"a\.npy is damaged"):
            load_npy(path)


def test_the_reason_is_the_operating_systems(tmp_path, small_files):
    with pytest.raises(OSError, match=TOO_LARGE):
        save_npy(tmp_path / "a.npy", np.zeros(1000))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("writing", ["index", "statistics"])
def test_every_stage_that_writes_arrays_says_the_reason(tmp_path, writing, request):
    (tmp_path / "part.keys.txt").touch()
    np.save(tmp_path / "part.index.npy", np.zeros(200, INDEX))
    (tmp_path / "statistics").mkdir()
    moments = Moments.of(iter(np.ones((1, 32, 32, 3), np.uint8)), 32, 1)
    write = {
        "index": lambda: join_parts(tmp_path, "train", [str(tmp_path / "part")]),
        "statistics": lambda: save_statistics(tmp_path / "statistics", moments),
    }[writing]
    request.getfixturevalue("small_files")
    with pytest.raises(OSError, match=TOO_LARGE):
        write()
