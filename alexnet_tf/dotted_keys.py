"""Nested sections as one level of dotted keys: `{"a": {"b": 1}}` is `{"a.b": 1}`."""

from collections.abc import Mapping
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
