"""Arrays by name in one safetensors file: whole or not there, equal bytes for equal arrays, no code on loading."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import safetensors

from alexnet_tf.errors import DataError, TrainingError
from alexnet_tf.whole_file import whole_file

_META = "alexnet"
_DAMAGED = "{source} is damaged or not a file of this project ({error}); delete it and run again"
# All that training holds, in the order in which the library writes them; `safetensors.numpy` knows no bfloat16.
_TYPES = {
    "I64": np.dtype("<i8"),
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "I32": np.dtype("<i4"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
_TYPE_NAMES = {dtype: name for name, dtype in _TYPES.items()}


def save_arrays(
    path: Path, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any] | None = None, *, halved: bool = False
) -> None:
    """Write arrays, and a JSON object beside them, to `path`: a temporary file first, synced, then renamed.

    The library's own `save` holds the arrays three times, and its `save_file` answers a full disk with no OSError and
    makes files that only their owner can read. What is written here is byte for byte what `save` gives.

    Args:
        path: A `.safetensors`, which `safetensors.numpy.load_file` reads.
        arrays: Any names but `__metadata__`; of a type in `_TYPES`.
        meta: What else to remember; must be JSON.
        halved: Store float32 arrays as bfloat16 where that loses nothing.

    Raises:
        TrainingError: When a value is not finite; nothing is written then.
    """
    if wrong := _not_finite(arrays):
        raise TrainingError(
            f"{path} is not written, as {wrong} is not finite: training diverged; lower "
            "training.optimizer.learning_rate"
        )
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    if halved:
        contiguous = {name: _halved(array) for name, array in contiguous.items()}
    types = list(_TYPES.values())
    ordered = dict(sorted(contiguous.items(), key=lambda each: (types.index(each[1].dtype), each[0])))
    with whole_file(path, sync=True) as file:
        file.write(_header(ordered, meta or {}))
        for array in ordered.values():
            file.write(_bytes(array))


def load_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `save_arrays` wrote.

    Returns:
        The arrays, bfloat16 as float32, and the JSON object.

    Raises:
        DataError: When the file is missing, truncated, damaged, or another kind of file, or a value is not finite.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; run the stage that writes it") from error
    return parse_arrays(content, source=str(path))


def load_meta(path: Path) -> dict[str, Any]:
    """Read the JSON object alone of what `save_arrays` wrote, without its arrays.

    Raises:
        DataError: As of `load_arrays`.
    """
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            return _ours(file.read(size))["meta"]
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; run the stage that writes it") from error
    except (OSError, OverflowError, MemoryError, ValueError, KeyError, TypeError) as error:
        raise DataError(_DAMAGED.format(source=path, error=error)) from error


def parse_arrays(content: bytes, *, source: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read the content of a file that `save_arrays` wrote.

    Args:
        content: All of it.
        source: Where it comes from, for the message.

    Returns:
        The arrays, bfloat16 as float32, and the JSON object.

    Raises:
        DataError: When the content is truncated, damaged, or another kind of file, or a value is not finite.
    """
    try:
        arrays = {
            name: np.frombuffer(each["data"], _TYPES[each["dtype"]]).reshape(each["shape"])
            for name, each in safetensors.deserialize(content)
        }
        ours = _ours(content[8 : 8 + int.from_bytes(content[:8], "little")])
        meta = ours["meta"]
        if ours["crc32"] != _checksum(arrays, meta):
            raise ValueError("its checksum differs")
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise DataError(_DAMAGED.format(source=source, error=error)) from error
    if wrong := _not_finite(arrays):
        raise DataError(
            f"{source}: {wrong} is not finite, so training diverged; delete the file and train again with a lower "
            "training.optimizer.learning_rate"
        )
    half = _TYPES["BF16"]
    return {name: array.astype(np.float32) if array.dtype == half else array for name, array in arrays.items()}, meta


def _ours(header: bytes) -> dict[str, Any]:
    """Return what `_header` put into the header: the checksum and the caller's JSON object."""
    return json.loads(json.loads(header)["__metadata__"][_META])


def _not_finite(arrays: Mapping[str, np.ndarray]) -> str | None:
    """Return the first name whose values are not all finite."""
    return next((name for name, array in arrays.items() if not np.isfinite(array).all()), None)


def _halved(array: np.ndarray) -> np.ndarray:
    if array.dtype != np.float32:
        return array
    half = array.astype(ml_dtypes.bfloat16)
    return half if np.array_equal(half.astype(np.float32), array) else array


def _header(arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> bytes:
    # One entry: the library writes the entries of its metadata in an order that is another in every process.
    ours = json.dumps({"crc32": _checksum(arrays, meta), "meta": meta}, sort_keys=True)
    header: dict[str, Any] = {"__metadata__": {_META: ours}}
    end = 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        dtype = _TYPE_NAMES[array.dtype]
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _checksum(arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> int:
    """Sum up all that the file says: the format has no checksum of its own."""
    found = zlib.crc32(json.dumps(meta, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        found = zlib.crc32(f"{name} {_TYPE_NAMES[array.dtype]} {array.shape}".encode(), found)
        found = zlib.crc32(_bytes(array), found)
    return found


def _bytes(array: np.ndarray) -> memoryview:
    """Return a contiguous array's bytes without a copy; NumPy shows no buffer of bfloat16."""
    return array.reshape(-1).view(np.uint8).data


def model_arrays(model) -> dict[str, np.ndarray]:
    """Return a Keras model's variables by path below the model, such as `conv1/kernel`, float32."""
    return {name: variable.numpy() for name, variable in named_variables(model).items()}


def named_variables(model) -> dict[str, Any]:
    """Return a Keras model's variables that are weights or moving statistics, by path below the model."""
    return {variable.path.split("/", 1)[1]: variable for variable in model.weights}


def layer_of(variable) -> str:
    """Return the name of the layer that a Keras variable belongs to, such as `conv1`."""
    return variable.path.split("/")[-2]


def assign_arrays(model, arrays: Mapping[str, np.ndarray], *, source: str) -> None:
    """Give a Keras model the values of `arrays`.

    Args:
        model: Built.
        arrays: Exactly the model's variables, by path.
        source: Where the arrays come from, for the message.

    Raises:
        DataError: When a name or shape is not the model's; nothing is assigned then.
    """
    if wrong := assign_if_fitting(named_variables(model), arrays):
        raise DataError(f"{source} does not fit the network at {wrong}: it was made with different network parameters")


def assign_if_fitting(variables: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str | None:
    """Give all variables their values, or none.

    Args:
        variables: What has a `shape` and can be assigned to, by name.
        arrays: Exactly one for each.

    Returns:
        The first name that is on one side only or has another shape, None when all were assigned.
    """
    wrong = sorted(set(variables) ^ set(arrays)) or [
        name for name, variable in variables.items() if tuple(variable.shape) != arrays[name].shape
    ]
    if wrong:
        return wrong[0]
    for name, variable in variables.items():
        variable.assign(arrays[name])
    return None
