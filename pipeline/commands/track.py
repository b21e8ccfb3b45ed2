"""`alexnet track`: what MLflow does not have yet, and rows made whole."""

import json

import click

from pipeline.commands.base import Command, as_json, example

_HELP = f"""Bring MLflow up to date with this tree.

{example("alexnet track rebuild" + chr(10) + "alexnet track sync")}"""
_SYNC_HELP = f"""Send what could not be sent while a tracking server was down.

Each stage run that waits lies in .alexnet/spool, whole; it goes from there once MLflow has it.

{example("alexnet track sync")}"""
_REBUILD_HELP = f"""Make the rows of the present state again, or complete them.

Every stage that is as dvc.lock has it is linked to the run that made its outputs; where no such run is on record (a
fresh clone after `dvc pull`, a lost store), the run is made again from dvc.lock and the stage's reports.

{example("alexnet track rebuild")}"""


@click.group("track", help=_HELP, short_help="Complete the rows in MLflow; send what waits.")
def command() -> None:
    """Hold the commands together."""


@command.command("sync", cls=Command, help=_SYNC_HELP, short_help="Send what waits in .alexnet/spool.")
@as_json
def sync(as_json: bool) -> None:
    """Send the spool."""
    from alexnet_tf.errors import AlexNetError
    from pipeline import linking, spool
    from pipeline.tracking_uri import tracking_uri
    from pipeline.workspace import find_workspace

    workspace = find_workspace()
    before = spool.waiting(workspace.scratch)
    problem = linking.send_all(workspace.home)
    left = [folder.name for folder in spool.waiting(workspace.scratch) if folder in before]
    uri = tracking_uri(workspace.home)
    if as_json:
        click.echo(
            json.dumps({"uri": uri, "sent": len(before) - len(left), "left": left, "problem": problem}, indent=1)
        )
    elif not before:
        click.echo("nothing waits to be sent")
    elif not problem:
        click.echo(f"{len(before) - len(left)} sent to {uri}" + (f", {len(left)} still being written" if left else ""))
    if problem:
        raise AlexNetError(
            f"MLflow: {problem}; {len(left)} of {len(before)} still wait in .alexnet/spool, whole. Start the server "
            "or set MLFLOW_TRACKING_URI, then say `alexnet track sync` again"
        )


@command.command("rebuild", cls=Command, help=_REBUILD_HELP, short_help="Make the rows of the present state again.")
@as_json
def rebuild(as_json: bool) -> None:
    """Complete the rows of the present state."""
    from alexnet_tf.errors import AlexNetError
    from pipeline import couriers, linking
    from pipeline.config import PARAMS_FILE, load
    from pipeline.graph import all_items, served_variants
    from pipeline.tracking_uri import tracking_uri
    from pipeline.workspace import find_workspace

    workspace = find_workspace()
    config = load(workspace.root / PARAMS_FILE)
    couriers.wait(workspace.home, linking.PATIENCE_SECONDS)
    event = linking.describe(workspace, config)
    if event is None:
        raise AlexNetError(
            "no stage is as dvc.lock has it, so there is nothing to make rows from; `dvc repro` runs the stages, "
            "`dvc pull` or `dvc checkout` brings outputs that were made before"
        )
    linking.put(workspace.home, event)
    if problem := linking.send_all(workspace.home):
        raise AlexNetError(f"MLflow: {problem}; the rows wait in .alexnet/spool, `alexnet track sync` sends them")
    found = {row["variant"]: [stage["stage"] for stage in row["standing"]] for row in event["rows"]}
    wanted = {
        variant: [item.address for item in all_items(config.values) if variant in served_variants(item, config.values)]
        for variant in found
    }
    missing = {variant: [stage for stage in wanted[variant] if stage not in found[variant]] for variant in found}
    if as_json:
        click.echo(json.dumps({"uri": tracking_uri(workspace.home), "stages": found, "missing": missing}, indent=1))
        return
    for variant, stages in found.items():
        gap = f"; out of date: {', '.join(missing[variant])} (`dvc repro`)" if missing[variant] else ", complete"
        click.echo(f"{variant}: {len(stages)} of {len(wanted[variant])} stages{gap}")
