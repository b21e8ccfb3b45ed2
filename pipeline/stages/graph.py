"""Questions about the table of stages: which runs params.yaml asks for, and which of them needs which."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.stages.table import STAGES, Item, Stage


def items(stage: Stage, params: Mapping[str, Any]) -> list[Item]:
    """List the runs of `stage` that params.yaml asks for, in its order.

    Args:
        stage: A row of the table.
        params: The content of params.yaml, checked.
    """
    if stage.foreach == "images":
        return [Item(stage, name, name) for name in params["images"]]
    if stage.foreach == "variants":
        return [Item(stage, name, variant["images"]) for name, variant in params["variants"].items()]
    return [Item(stage, "", "")]


def all_items(params: Mapping[str, Any]) -> list[Item]:
    """List every run of every stage, in an order in which each comes after what it reads."""
    return [item for stage in STAGES.values() for item in items(stage, params)]


def producers(path: str, params: Mapping[str, Any]) -> Iterator[tuple[Item, str]]:
    """Yield each run that writes `path` or something below it, with what it writes there."""
    for item in all_items(params):
        for written in item.outputs().values():
            if written == path or written.startswith(path + "/"):
                yield item, written


def ancestors(item: Item, params: Mapping[str, Any]) -> list[Item]:
    """List the runs whose outputs `item` needs, directly or through others, in pipeline order."""
    found: set[str] = set()
    waiting = [item]
    while waiting:
        for path in waiting.pop().inputs().values():
            for producer, _ in producers(path, params):
                if producer.address not in found:
                    found.add(producer.address)
                    waiting.append(producer)
    return [each for each in all_items(params) if each.address in found]


def served_variants(item: Item, params: Mapping[str, Any]) -> list[str]:
    """List the variants that need `item`: its own, or all those downstream of a shared stage."""
    if item.stage.foreach == "variants":
        return [item.key]
    return [
        name
        for name, variant in params["variants"].items()
        if item.stage.foreach == "" or variant["images"] == item.key
    ]
