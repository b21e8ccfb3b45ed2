import io
import os

import keras
import numpy as np
import pytest

from alexnet_tf import weights
from alexnet_tf.errors import DataError
from alexnet_tf.weights import assign_arrays, load_arrays, model_arrays, named_variables, save_arrays

ARRAYS = {"conv1/kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "step": np.array(7)}


@pytest.fixture
def model():
    model = keras.Sequential([keras.layers.Dense(2, name="fc7"), keras.layers.Dense(1, name="fc8")])
    model.build((1, 3))
    return model


def test_a_round_trip_gives_back_arrays_and_meta(tmp_path):
    save_arrays(tmp_path / "a.npz", ARRAYS, {"step": 3, "history": [0.25]})
    arrays, meta = load_arrays(tmp_path / "a.npz")
    assert meta == {"step": 3, "history": [0.25]}
    assert arrays.keys() == ARRAYS.keys()
    for name, expected in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], expected)
        assert arrays[name].dtype == expected.dtype


def test_equal_arrays_are_equal_bytes(tmp_path):
    save_arrays(tmp_path / "a.npz", ARRAYS, {"b": 1, "a": 2})
    save_arrays(tmp_path / "b.npz", {name: value.copy() for name, value in ARRAYS.items()}, {"a": 2, "b": 1})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    save_arrays(tmp_path / "a.npz", ARRAYS)
    before = (tmp_path / "a.npz").read_bytes()

    def full(descriptor):
        raise OSError("no space left on device")

    monkeypatch.setattr(weights.os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        save_arrays(tmp_path / "a.npz", {"other": np.zeros(3)})
    assert os.listdir(tmp_path) == ["a.npz"]
    assert (tmp_path / "a.npz").read_bytes() == before


def archive(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def whole(tmp_path) -> bytes:
    save_arrays(tmp_path / "whole.npz", ARRAYS)
    return (tmp_path / "whole.npz").read_bytes()


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_a_data_error(tmp_path, share):
    content = whole(tmp_path)
    path = tmp_path / "a.npz"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=r"a\.npz is damaged or no file of ours"):
        load_arrays(path)


def test_a_flipped_byte_in_an_array_is_a_data_error(tmp_path):
    content = bytearray(whole(tmp_path))
    place = content.index(ARRAYS["conv1/kernel"].tobytes())
    content[place + 5] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        load_arrays(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "content",
    [
        b"hello, world",
        archive(other=np.zeros(3)),
        archive(meta=np.frombuffer(b"{not json", np.uint8)),
        archive(meta=np.array(None, dtype=object)),
    ],
    ids=["text", "no meta", "meta no json", "pickled"],
)
def test_a_foreign_file_is_a_data_error(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match="damaged or no file of ours"):
        load_arrays(tmp_path / "a.npz")


def test_a_bare_array_is_a_data_error(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(DataError, match="damaged or no file of ours"):
        load_arrays(tmp_path / "a.npy")


def test_a_missing_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        load_arrays(tmp_path / "a.npz")


def test_names_are_paths_below_the_model(model):
    assert list(named_variables(model)) == ["fc7/kernel", "fc7/bias", "fc8/kernel", "fc8/bias"]


def test_assigning_gives_a_model_the_weights_of_another(model):
    other = keras.models.clone_model(model)
    assign_arrays(other, model_arrays(model), source="here")
    for left, right in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    "change",
    [
        {"fc8/bias": np.zeros(2, np.float32)},
        {"fc8/bias": None},
        {"fc9/bias": np.zeros(1, np.float32)},
    ],
    ids=["wrong shape", "missing", "unknown"],
)
def test_weights_of_another_network_are_refused_and_nothing_is_assigned(model, change):
    before = model_arrays(model)
    arrays = {name: np.full_like(value, 7) for name, value in before.items()} | change
    arrays = {name: value for name, value in arrays.items() if value is not None}
    with pytest.raises(DataError, match="there does not fit the network at fc"):
        assign_arrays(model, arrays, source="there")
    for name, value in model_arrays(model).items():
        np.testing.assert_array_equal(value, before[name])
