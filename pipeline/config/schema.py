"""The shape of params.yaml, put together from the stages' parameters, and its JSON Schema for editors."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter
from pydantic.fields import FieldInfo
from typing_extensions import TypedDict

from alexnet_tf.profiles import PROFILES, WORD
from components.interfaces import StageParams
from pipeline.stages.table import STAGES

NAME = r"^[a-z0-9][a-z0-9_-]*$"
# Written out, since Beam takes a second to import; a test compares them with Beam's own list.
BEAM_RUNNERS = (
    "FnApiRunner",
    "DaskRunner",
    "PortableRunner",
    "FlinkRunner",
    "SparkRunner",
    "DataflowRunner",
    "PrismRunner",
    "DirectRunner",
    "BundleBasedDirectRunner",
    "SwitchingDirectRunner",
    "InteractiveRunner",
    "KafkaStreamsRunner",
)


def _runner(name: str) -> str:
    if name not in BEAM_RUNNERS and "." not in name:  # the full name of a class is looked up when it is used
        raise ValueError(f"expected one of {', '.join(BEAM_RUNNERS)} or the full name of a class")
    return name


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len({name.removeprefix("/").removeprefix("device:") for name in names}) < len(names):
        raise ValueError("expected each device once")
    return names


class RuntimeParams(StageParams):
    """The section `runtime`: how fast and where; it changes results by rounding at most."""

    source_folder: str | None = Field(description="Folder of data sets that are already on this machine.")
    devices: Annotated[tuple[str, ...], AfterValidator(_distinct)] = Field(
        description="TensorFlow device names; empty: every GPU, else the CPU."
    )
    checkpoint_interval_seconds: float = Field(gt=0, description="Seconds of training between two checkpoints.")
    input_parallel_calls: int = Field(ge=0, description="Training batches read at once; 0: one a core, 4 at most.")
    tensorboard: bool = Field(description="Whether trainings write event files, to .alexnet/tensorboard.")
    beam_runner: Annotated[str, AfterValidator(_runner)] = Field(description="Beam runner; never left open.")
    beam_workers: int = Field(ge=0, description="Beam workers; 0: one a core.")
    beam_options: tuple[str, ...] = Field(description="Further Beam flags, for example --flink_master=HOST:PORT.")


def _tree() -> dict[str, Any]:
    """Nested key -> field, from the table of stages; a key that holds other keys has no entry of its own."""
    leaves: dict[str, Any] = {}
    for stage in STAGES.values():
        fields = stage.component.Params.model_fields
        for name, key in stage.params.items():
            leaves.setdefault(key, fields[name])
    leaves["variants.{variant}.images"] = Field(description="The entry of `images` that this variant is fed.")
    leaves["variants.{variant}.images"].annotation = str
    leaves["variants.{variant}.profile"] = Field(description="The value of the word `profile` in this variant.")
    leaves["variants.{variant}.profile"].annotation = Literal[*PROFILES, "none"]
    for name, runtime_field in RuntimeParams.model_fields.items():
        leaves[f"runtime.{name}"] = runtime_field
    tree: dict[str, Any] = {}
    for key, leaf in leaves.items():
        if any(other.startswith(key + ".") for other in leaves):
            continue
        *sections, last = key.split(".")
        node = tree
        for section in sections:
            node = node.setdefault(section, {})
        node[last] = leaf
    return tree


def _typed(name: str, node: Any) -> Any:
    if isinstance(node, FieldInfo):
        described = Field(description=node.description, discriminator=node.discriminator)
        return Annotated[node.annotation, *node.metadata, described]
    if len(node) == 1 and (only := next(iter(node))).startswith("{"):
        key = Annotated[str, Field(pattern=NAME)]
        return Annotated[dict[key, _typed(f"{name}_item", node[only])], Field(min_length=1)]
    # Called by another name since type checkers want a literal; not a model, whose methods keys would hide.
    make: Any = TypedDict
    section = make(name, {key: _typed(f"{name}_{key}", child) for key, child in node.items()})
    section.__pydantic_config__ = StageParams.model_config
    return section


@functools.cache
def file_type() -> TypeAdapter[dict[str, Any]]:
    """The type of a whole params.yaml in which profiles are resolved."""
    return TypeAdapter(_typed("params", _tree()))


@functools.cache
def json_schema() -> dict[str, Any]:
    """JSON Schema of params.yaml as written, with the word `profile` allowed where a profile has a value."""
    schema = file_type().json_schema()
    for switch in next(iter(PROFILES.values())):
        path = ("variants", "*", *switch.split("."))
        for owner in subschemas(schema, path[:-1]):
            value = owner.get("properties", {}).get(path[-1])
            if value is not None:
                owner["properties"][path[-1]] = {"anyOf": [{"const": WORD}, value]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "params.yaml of the AlexNet pipeline",
    } | schema


def subschemas(schema: Mapping[str, Any], path: Sequence[object], values: Any = None) -> list[dict[str, Any]]:
    """Find what describes `path`, following references, unions and free names.

    Args:
        schema: A JSON Schema with its `$defs`.
        path: Keys and list positions; a step that no branch knows (the tag of a union) is passed over.
        values: What is described; of a union whose members have each a name, only the member that it names is followed.
    """
    found = list(_branches(schema, schema))
    for step in path:
        inner: list[Any] = []
        for branch in found:
            properties = branch.get("properties", {})
            free = branch.get("additionalProperties") or next(iter(branch.get("patternProperties", {}).values()), None)
            if step in properties:
                inner.append(properties[step])
            elif isinstance(free, dict):
                inner.append(free)
            elif isinstance(step, int) and isinstance(branch.get("items"), dict):
                inner.append(branch["items"])
        values = values.get(step) if isinstance(values, Mapping) else None
        if inner:
            found = [branch for each in inner for branch in _branches(schema, each)]
            found = [branch for branch in found if _named(branch, values)] or found
    return found


def _named(branch: Mapping[str, Any], values: Any) -> bool:
    """Say whether all constants of a section, such as its `name`, are those of `values`."""
    constants = {key: each["const"] for key, each in branch.get("properties", {}).items() if "const" in each}
    return not isinstance(values, Mapping) or all(values.get(key) == word for key, word in constants.items())


def _branches(schema: Mapping[str, Any], node: Any) -> Iterator[dict[str, Any]]:
    if "$ref" in node:
        target: Any = schema
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        yield from _branches(schema, target)
    elif options := node.get("anyOf") or node.get("oneOf"):
        for option in options:
            yield from _branches(schema, option)
    else:
        yield node
