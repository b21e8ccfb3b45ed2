"""`alexnet doctor`: whether this machine and this tree are fit to run."""

import json

import click

from pipeline.commands.base import Command, as_json, example
from pipeline.environment.workspace import find_workspace

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}
_HELP = f"""Check Python, packages, Git, DVC, disk, memory, devices, tracking, checkpoints and params.yaml.

Changes nothing. The exit code is 1 if a check fails; warnings do not count.

{example("alexnet doctor")}"""


@click.command("doctor", cls=Command, help=_HELP, short_help="Check this machine and this repository.")
@as_json
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Print one line a check."""
    from pipeline.commands.health import examine

    findings = examine(find_workspace())
    if as_json:
        click.echo(json.dumps([finding._asdict() for finding in findings], indent=1))
    else:
        for finding in findings:
            level = click.style(f"{finding.level:4}", fg=_COLOURS[finding.level])
            fix = f" -> {finding.fix}" if finding.fix else ""
            click.echo(f"{level}  {finding.name:10} {finding.found}{fix}")
    ctx.exit(1 if any(finding.level == "fail" for finding in findings) else 0)
