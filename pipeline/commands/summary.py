"""`alexnet summary`: the layers of a variant with their sizes and their work."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from pipeline.commands import completion
from pipeline.commands.base import Command, as_json, example, overrides
from pipeline.stages.table import DATASET

_HELP = f"""Print the layers of a variant with output shapes, parameters and multiply-adds per image.

{example("alexnet summary faithful", "alexnet summary optimized --num-classes 1000")}"""


@click.command("summary", cls=Command, help=_HELP, short_help="Print the layers of a variant as a table.")
@click.argument("variant", required=False, shell_complete=completion.entries("variants"))
@click.option(
    "--num-classes", type=click.IntRange(min=1), help="Number of classes; by default that of the data, else 1000."
)
@overrides
@as_json
def command(variant: str | None, num_classes: int | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Print one table a variant."""
    from alexnet_tf.models.layer_table import layer_table
    from pipeline.config.load import workspace_and_config

    workspace, config = workspace_and_config(overrides)
    root = workspace.root
    classes = num_classes or _classes_of(root / DATASET / "manifest.json") or 1000
    tables = {}
    for name in [config.item("train", variant).key] if variant else config.values["variants"]:
        params: Any = config.params[f"train@{name}"]
        tables[name] = layer_table(params.network, params.input.crop_size, classes)
    if as_json:
        plain = {name: [dataclasses.asdict(row) for row in rows] for name, rows in tables.items()}
        click.echo(json.dumps(plain, indent=1))
        return
    click.echo("\n\n".join(f"{name}, {classes} classes\n{_as_table(rows)}" for name, rows in tables.items()))


def _classes_of(manifest: Path) -> int | None:
    try:
        return len(json.loads(manifest.read_text(encoding="utf-8"))["class_names"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _as_table(rows: Sequence[Any]) -> str:
    """Align `alexnet_tf.models.layer_table.LayerRow`s as text, totals last."""
    cells = [("layer", "kind", "output", "parameters", "multiply-adds")]
    for row in rows:
        shape = " x ".join(map(str, row.output_shape))
        cells.append((row.name, row.kind, shape, f"{row.parameters:,}", f"{row.multiply_adds:,}"))
    parameters, untrained, products = (
        sum(getattr(row, name) for row in rows) for name in ("parameters", "untrained", "multiply_adds")
    )
    cells.append(("total", "", "", f"{parameters:,}", f"{products:,}"))
    if untrained:
        cells.append(("of which trainable", "", "", f"{parameters - untrained:,}", ""))
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    lines = []
    for line in cells:
        words = [cell.ljust(width) for cell, width in zip(line[:2], widths[:2], strict=True)]
        words += [cell.rjust(width) for cell, width in zip(line[2:], widths[2:], strict=True)]
        lines.append("  ".join(words).rstrip())
    return "\n".join(lines)
