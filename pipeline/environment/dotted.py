"""Nested sections by dotted keys: `{"a": {"b": 1}}` has 1 at `a.b`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any


def flatten(values: Mapping[str, Any], separator: str = ".") -> dict[str, Any]:
    """Turn nested sections into one level of dotted keys; lists stay values, and an empty section leaves no key."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}{separator}{below}": each for below, each in flatten(value, separator).items()}
        else:
            flat[name] = value
    return flat


def words(values: Mapping[str, Any]) -> dict[str, str]:
    """Flatten parameters and write each value as a word: a text as it is, anything else as JSON."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in flatten(values).items()}


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
