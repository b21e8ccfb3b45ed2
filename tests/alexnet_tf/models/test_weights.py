import io
import os
import pickle

import keras
import numpy as np
import pytest
import safetensors.numpy

from alexnet_tf.errors import DataError, TrainingError
from alexnet_tf.models import weights
from alexnet_tf.models.weights import assign_arrays, load_arrays, model_arrays, named_variables, save_arrays

ARRAYS = {"conv1/kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "step": np.array(7)}


@pytest.fixture
def model():
    model = keras.Sequential([keras.layers.Dense(2, name="fc7"), keras.layers.Dense(1, name="fc8")])
    model.build((1, 3))
    return model


def test_a_round_trip_gives_back_arrays_and_meta(tmp_path):
    save_arrays(tmp_path / "a.safetensors", ARRAYS, {"step": 3, "history": [0.25]})
    arrays, meta = load_arrays(tmp_path / "a.safetensors")
    assert meta == {"step": 3, "history": [0.25]}
    assert arrays.keys() == ARRAYS.keys()
    for name, expected in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], expected)
        assert arrays[name].dtype == expected.dtype


def test_equal_arrays_are_equal_bytes(tmp_path):
    save_arrays(tmp_path / "a.safetensors", ARRAYS, {"b": 1, "a": 2})
    save_arrays(tmp_path / "b.safetensors", {name: value.copy() for name, value in ARRAYS.items()}, {"a": 2, "b": 1})
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    save_arrays(tmp_path / "a.safetensors", ARRAYS)
    before = (tmp_path / "a.safetensors").read_bytes()

    def full(descriptor):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        save_arrays(tmp_path / "a.safetensors", {"other": np.zeros(3)})
    assert os.listdir(tmp_path) == ["a.safetensors"]
    assert (tmp_path / "a.safetensors").read_bytes() == before


def test_the_bytes_are_those_of_the_library(tmp_path):
    arrays = ARRAYS | {"fc8/bias": np.zeros((0, 3), np.float32), "größe": np.ones(5), "a": np.ones(2, np.int32)}
    save_arrays(tmp_path / "a.safetensors", arrays, {"step": 3})
    with safetensors.safe_open(tmp_path / "a.safetensors", "np") as file:
        metadata = file.metadata()
    assert list(metadata) == ["alexnet"]
    assert (tmp_path / "a.safetensors").read_bytes() == safetensors.numpy.save(arrays, metadata)


def test_an_array_in_another_order_in_memory_is_written_right(tmp_path):
    """`safetensors.numpy.save` 0.8.0 writes the memory in its own order."""
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    save_arrays(tmp_path / "a.safetensors", {"turned": array.T, "every other": array[:, ::2]})
    arrays, _ = load_arrays(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(arrays["turned"], array.T)
    np.testing.assert_array_equal(arrays["every other"], array[:, ::2])


def test_halving_loses_nothing(tmp_path):
    third = np.full(100, 1 / 3, np.float32)
    arrays = {"half": np.float32([1, -0.5] * 50), "whole": third, "step": np.array(7)}
    for name, halved in (("a.safetensors", True), ("b.safetensors", False)):
        save_arrays(tmp_path / name, arrays, halved=halved)
    sizes = [(tmp_path / name).stat().st_size for name in ("a.safetensors", "b.safetensors")]
    assert sizes[1] - sizes[0] == 200
    read, _ = load_arrays(tmp_path / "a.safetensors")
    for name, expected in arrays.items():
        np.testing.assert_array_equal(read[name], expected)
        assert read[name].dtype == expected.dtype


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("halved", [False, True])
def test_values_that_are_not_finite_are_neither_written_nor_read(tmp_path, monkeypatch, bad, halved):
    path = tmp_path / "a.safetensors"
    spoiled = ARRAYS | {"fc8/bias": np.float32([0, bad])}
    with pytest.raises(TrainingError, match=r"a\.safetensors is not written, as fc8/bias is not finite"):
        save_arrays(path, spoiled, halved=halved)
    assert not list(tmp_path.iterdir())
    with monkeypatch.context() as patch:  # as an earlier version wrote it
        patch.setattr(weights, "_not_finite", lambda arrays: None)
        save_arrays(path, spoiled, halved=halved)
    with pytest.raises(DataError, match=r"a\.safetensors: fc8/bias is not finite"):
        load_arrays(path)


def npz(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def whole(tmp_path) -> bytes:
    save_arrays(tmp_path / "whole.safetensors", ARRAYS)
    return (tmp_path / "whole.safetensors").read_bytes()


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_a_data_error(tmp_path, share):
    content = whole(tmp_path)
    path = tmp_path / "a.safetensors"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=r"a\.safetensors is damaged or not a file of this project"):
        load_arrays(path)


@pytest.mark.parametrize(
    ("found", "instead"),
    [
        (ARRAYS["conv1/kernel"].tobytes()[4:12], b"\x00" * 8),
        (b"[2,3]", b"[3,2]"),
        (b"conv1", b"conv2"),
        (b'"F32"', b'"I32"'),
        (b"history", b"History"),
    ],
    ids=["number", "shape", "name", "type", "meta"],
)
def test_a_changed_byte_is_a_data_error(tmp_path, found, instead):
    save_arrays(tmp_path / "a.safetensors", ARRAYS, {"history": [0.25]})
    content = (tmp_path / "a.safetensors").read_bytes()
    assert content.count(found) == 1
    content = content.replace(found, instead)
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        load_arrays(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    "content",
    [
        b"hello, world",
        npz(meta=np.frombuffer(b"{}", np.uint8)),
        safetensors.numpy.save(ARRAYS),
        safetensors.numpy.save(ARRAYS, {"alexnet": "{not json"}),
        safetensors.numpy.save({"half": np.zeros(3, np.float16)}, {"alexnet": "{}"}),
        pickle.dumps(ARRAYS),
    ],
    ids=["text", "npz", "no meta", "meta no json", "unknown type", "pickle"],
)
def test_a_foreign_file_is_a_data_error(tmp_path, content):
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(DataError, match="damaged or not a file of this project"):
        load_arrays(tmp_path / "a.safetensors")


def test_a_bare_array_is_a_data_error(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(DataError, match="damaged or not a file of this project"):
        load_arrays(tmp_path / "a.npy")


def test_a_missing_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        load_arrays(tmp_path / "a.safetensors")


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
