"""The parameters in which variants differ."""

from collections.abc import Mapping
from typing import Any


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn nested parameters into dotted keys: `{"a": {"b": 1}}` into `{"a.b": 1}`; lists stay values."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        dotted = f"{prefix}{key}"
        flat |= flatten(value, f"{dotted}.") if isinstance(value, Mapping) else {dotted: value}
    return flat


def differing_knobs(variants: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """List the parameters that are not the same everywhere, in their order of appearance.

    Returns:
        `key` (dotted) and `values`: variant -> value, without the variants that have no such parameter.
    """
    flat = {name: flatten(parameters) for name, parameters in variants.items()}
    keys = dict.fromkeys(key for parameters in flat.values() for key in parameters)
    knobs = []
    for key in keys:
        values = {name: parameters[key] for name, parameters in flat.items() if key in parameters}
        if len(values) < len(flat) or any(value != next(iter(values.values())) for value in values.values()):
            knobs.append({"key": key, "values": values})
    return knobs
