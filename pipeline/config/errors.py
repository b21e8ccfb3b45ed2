"""Turns what pydantic finds wrong in params.yaml into one sentence: key, expectation, value, nearest name."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from alexnet_tf.errors import ConfigError
from alexnet_tf.nearest import nearest
from pipeline.config.local_params import LOCAL_FILE, LocalParamsError
from pipeline.config.schema import json_schema, subschemas
from pipeline.environment.dotted import at
from pipeline.environment.yaml_file import shown

_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "a word",
    "null": "nothing",
}
_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}
_ABSENT = ("missing", "union_tag_not_found")
# A typing error shows up as an unknown key and often a missing one: the unknown key is the one to name.
_FIRST = {"extra_forbidden": 0, "missing": 2}


def sentence(
    error: ValidationError,
    values: Mapping[str, Any],
    source: Callable[[str], str],
    keys: Mapping[str, str] | None = None,
) -> ConfigError:
    """Say what is wrong, of several things the most telling one.

    Args:
        error: What pydantic found.
        values: The whole content of params.yaml, to show the value that was received.
        source: Gives the place where a dotted key was written, such as `params.yaml` or `-S`.
        keys: Field of a stage's parameters -> dotted key, where a stage's parameters were checked.
    """
    first = min(error.errors(include_url=False), key=lambda each: _FIRST.get(each["type"], 1))
    location = list(first["loc"])
    if keys and location:
        location[:1] = keys[str(location[0])].split(".")
    if first["type"].startswith("union_tag"):
        location.append(first.get("ctx", {}).get("discriminator", "").strip("'"))
    path = _without_tags(location, values, first)
    return refusal(source(dotted(path)), _worded(first, path, values))


def refusal(place: str, told: str) -> ConfigError:
    """Make the error of what was written at a place; of params.local.yaml it has a type of its own."""
    return (LocalParamsError if place == LOCAL_FILE else ConfigError)(f"{place}: {told}")


def _worded(error: ErrorDetails, path: Sequence[Any], values: Mapping[str, Any]) -> str:
    key = dotted(path)
    if error["type"] == "extra_forbidden":
        sections = subschemas(json_schema(), path[:-1], values)
        known = sorted({name for each in sections for name in each.get("properties", {})})
        where = f"under {dotted(path[:-1])}" if len(path) > 1 else "at the top level"
        return (
            f"unknown key {key} (value {shown(error['input'])}); expected {where} "
            f"one of {', '.join(known)}{nearest(path[-1], known)}"
        )
    expected = _expectation(path, values)
    if error["type"] in _ABSENT:
        return f"{key} is missing; expected {expected}"
    value = at(values, [part for part in path if part != "[key]"])
    received = shown(value)
    if error["type"] in ("value_error", "assertion_error"):
        text = error["msg"].partition(", ")[2].rstrip(".")
        if isinstance(value, Mapping):  # a rule about several keys names what it got itself
            return f"{key or 'the parameters'}: {text}"
        return f"{key}: {text}, got {received}"
    if error["type"] == "string_pattern_mismatch" and path and path[-1] == "[key]":
        name = path[-2]
        where = dotted(path[:-2])
        return f"{where} has an entry {name!r}; expected a name of lower-case letters, digits, - and _"
    choices = [choice for each in subschemas(json_schema(), path, values) for choice in _choices(each)]
    guess = nearest(received.strip("'"), choices)
    return f"{key} must be {expected}, got {received}{guess}"


def _expectation(path: Sequence[Any], values: Mapping[str, Any]) -> str:
    """Say in words what is allowed at a path of params.yaml that holds `values`."""
    found = [text for each in subschemas(json_schema(), path, values) if (text := _described(each))]
    return " or ".join(dict.fromkeys(found)) or "a value"


def _described(schema: Mapping[str, Any]) -> str:
    if choices := _choices(schema):
        return ("one of " if len(choices) > 1 else "") + ", ".join(map(str, choices))
    kind = schema.get("type", "")
    if kind == "object":
        names = schema.get("properties", {})
        return f"a section with the keys {', '.join(names)}" if names else "a section with at least one entry"
    if kind == "array":
        low, high = schema.get("minItems"), schema.get("maxItems")
        count = f" of {low}" if low is not None and low == high else ""
        element = schema.get("items") or next(iter(schema.get("prefixItems", [])), {})
        inner = {"integer": "whole numbers", "number": "numbers", "string": "words"}.get(
            element.get("type", ""), "values"
        )
        return f"a list{count} {inner}" if count else f"a list of {inner}"
    bounds = [f"{word} {schema[name]:.10g}" for name, word in _BOUNDS.items() if name in schema]
    text = _TYPES.get(kind, "")
    if pattern := schema.get("pattern"):
        return f"{text} that matches {pattern}"
    return f"{text} of {' and '.join(bounds)}" if text and bounds else text


def _choices(schema: Mapping[str, Any]) -> list[Any]:
    return [schema["const"]] if "const" in schema else list(schema.get("enum", []))


def dotted(path: Sequence[Any]) -> str:
    """Write a path as a key, `filters[2]` for a place in a list."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _without_tags(location: Sequence[Any], values: Any, error: ErrorDetails) -> list[Any]:
    path: list[Any] = []
    node = values
    for depth, part in enumerate(location):
        inside = isinstance(node, Mapping) and part in node
        listed = isinstance(node, Sequence) and not isinstance(node, str) and isinstance(part, int)
        if inside or (listed and part < len(node)):
            node = node[part]
            path.append(part)
        elif part == "[key]" or (depth == len(location) - 1 and error["type"] in _ABSENT):
            path.append(part)
    return path
