"""`alexnet convert`: a folder of images made into one of squares."""

import os
from pathlib import Path
from typing import Literal

import click

from pipeline.commands.base import Command, example, overrides, say

_HELP = f"""Convert every image in SOURCE to a square of SIZE pixels at the same path in DESTINATION (§2).

The shorter side is scaled to SIZE and the centre is cropped. DESTINATION can then replace SOURCE; it is smaller and
faster to read. After an interruption, the same command does the rest.

{example("alexnet convert ~/imagenet ~/imagenet256", "alexnet convert photos squares --size 128")}"""


@click.command("convert", cls=Command, help=_HELP, short_help="Convert a folder of images to squares.")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("destination", type=click.Path(path_type=Path))
@click.option("--size", type=click.IntRange(min=1), default=256, show_default=True, help="Side length in pixels.")
@click.option(
    "--encoding",
    type=click.Choice(["png", "jpeg"]),
    default="png",
    show_default=True,
    help="png keeps the pixels exactly; jpeg (quality 95) needs about a third of the space.",
)
@overrides
def command(
    source: Path, destination: Path, size: int, encoding: Literal["png", "jpeg"], overrides: tuple[str, ...]
) -> None:
    """Convert, on the Beam runner of params.yaml."""
    from components.conversion import REPORT, convert
    from components.interfaces import Runtime
    from pipeline.config.load import workspace_and_config
    from pipeline.environment.progress import progress_for
    from pipeline.runner import beam_runtime

    _, config = workspace_and_config(overrides)
    runtime = Runtime(progress=progress_for(), beam=beam_runtime(config.runtime))
    report = convert(
        Path(os.path.expanduser(source)),
        Path(os.path.expanduser(destination)),
        size=size,
        encoding=encoding,
        max_pixels=config.values["preprocess"]["max_pixels"],
        runtime=runtime,
    )
    left = [f"{len(report['rejected'])} cannot be used"] * bool(report["rejected"])
    if others := sum(each["count"] for each in report["ignored"]):
        left.append(f"{others:,} other files or folders are not converted")
    told = f", {' and '.join(left)} ({destination / REPORT} says why)" if left else ""
    say(f"convert: wrote {report['num_images']} images of {size} x {size} pixels to {destination}{told}")
