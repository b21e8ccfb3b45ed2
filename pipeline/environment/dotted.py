"""Nested sections by dotted keys: `{"a": {"b": 1}}` has 1 at `a.b`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from alexnet_tf.dotted_keys import flatten


def words(values: Mapping[str, Any]) -> dict[str, str]:
    """Flatten parameters and write each value as a word: a text as it is, anything else as JSON."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in flatten(values).items()}


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Every number in nested JSON, by its path with slashes."""
    return {
        path: float(value)
        for path, value in flatten(values, "/").items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def at(values: Mapping[str, Any], key: str | Sequence[Any]) -> Any:
    """Look up a dotted key, or a path that may go through lists.

    Raises:
        KeyError: There is no such key.
    """
    found: Any = values
    try:
        for part in key.split(".") if isinstance(key, str) else key:
            found = found[part]
    except (KeyError, IndexError, TypeError):
        raise KeyError(key) from None
    return found
