"""Arrays by name in one file: written whole or not at all, equal bytes for equal arrays, no code on loading."""

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from alexnet_tf.errors import DataError

_META = "meta"


def save_arrays(
    path: Path, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any] | None = None, *, deflated: bool = False
) -> None:
    """Write arrays, and a JSON object beside them, to `path`: a temporary file first, synced, then renamed.

    Args:
        path: A `.npz`, which `numpy.load` reads.
        arrays: Any names but `meta`.
        meta: What else to remember; must be JSON.
        deflated: Take time to make it smaller.
    """
    text = json.dumps(meta or {}, sort_keys=True).encode()
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            (np.savez_compressed if deflated else np.savez)(file, **{_META: np.frombuffer(text, np.uint8), **arrays})
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `save_arrays` wrote.

    Returns:
        The arrays, and the JSON object.

    Raises:
        DataError: When the file is missing, truncated, damaged, or another kind of file.
    """
    try:
        # Opened here: numpy leaves a file open that is no whole archive.
        with path.open("rb") as file:
            return parse_arrays(file, source=str(path))
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; run the stage that writes it") from error


def parse_arrays(file: BinaryIO, *, source: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `save_arrays` wrote from an open file.

    Args:
        file: Can be sought in.
        source: Where it comes from, for the message.

    Returns:
        The arrays, and the JSON object.

    Raises:
        DataError: When the content is truncated, damaged, or another kind of file.
    """
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return arrays, json.loads(arrays.pop(_META).tobytes())
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{source} is damaged or no file of ours ({error}); delete it and run again") from error


def model_arrays(model) -> dict[str, np.ndarray]:
    """Return a Keras model's variables by path below the model, such as `conv1/kernel`, float32."""
    return {name: variable.numpy() for name, variable in named_variables(model).items()}


def named_variables(model) -> dict[str, Any]:
    """Return a Keras model's variables that are weights or moving statistics, by path below the model."""
    return {variable.path.split("/", 1)[1]: variable for variable in model.weights}


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
        raise DataError(f"{source} does not fit the network at {wrong}: it was made with other network parameters")


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
