"""`alexnet track`: what MLflow does not have yet, and rows made whole."""

import json
from pathlib import Path

import click

from alexnet_tf.errors import AlexNetError
from pipeline.commands.base import Command, as_json, example, say
from pipeline.environment.workspace import find_workspace
from pipeline.stages.table import all_items, served_variants

_HELP = f"""Bring MLflow up to date with this repository.

{example("alexnet track rebuild", "alexnet track sync", "alexnet track import results")}"""
_SYNC_HELP = f"""Send records that the tracking server did not accept, for example while it was down.

They stay in .alexnet/spool until MLflow has them.

{example("alexnet track sync")}"""
_RELOCATE_HELP = f"""Correct the tracking store after this folder was moved, renamed or copied.

mlflow.db names artifacts by absolute paths. Paths in the former folder are replaced by paths in this one, in one
transaction and with a backup; then the records in .alexnet/spool are sent. An environment in .venv cannot be moved:
remove it, make it again (in a clone `make setup`) and activate it first.

{example("alexnet track relocate")}"""
_REBUILD_HELP = f"""Recreate missing runs of the current state in MLflow.

Every stage that is up to date in dvc.lock is linked to the stage run that made its outputs. If there is no such run (a
fresh clone after `dvc pull`, a lost store), it is recreated from dvc.lock and the stage's reports.

{example("alexnet track rebuild")}"""
_KEEP_HELP = f"""Write the results of this repository to results/, to be committed.

Each variant that is trained and evaluated becomes one JSON file with its parameters, metrics, curves, seed, commit,
machine, versions and times; run it on the machine that trained it. The comparison, if it is up to date, becomes another
file. In a clone, `make docs` renders the tables of README.md and of docs/ from them.

{example("alexnet track keep")}"""
_IMPORT_HELP = f"""Add the results in FOLDER, by default results/ of the repository, to MLflow.

Runs that are already there are not changed, so the command can be repeated.

{example("alexnet track import results", "alexnet ui")}"""


@click.group("track", help=_HELP, short_help="Complete the runs in MLflow; keep and import results.")
def command() -> None:
    """Hold the commands together."""


@command.command("sync", cls=Command, help=_SYNC_HELP, short_help="Send the records in .alexnet/spool.")
@as_json
def sync(as_json: bool) -> None:
    """Send the spool."""
    from pipeline.tracking import spool, uploads
    from pipeline.tracking.tracking_uri import is_server, tracking_uri, without_password

    workspace = find_workspace()
    before = spool.waiting(workspace.scratch)
    problem = uploads.send_all(workspace.home)
    left = [folder.name for folder in spool.waiting(workspace.scratch) if folder in before]
    uri = without_password(tracking_uri(workspace.home))
    if as_json:
        click.echo(
            json.dumps({"uri": uri, "sent": len(before) - len(left), "left": left, "problem": problem}, indent=1)
        )
    elif not before:
        click.echo("nothing to send")
    elif not problem:
        click.echo(f"{len(before) - len(left)} sent to {uri}" + (f", {len(left)} still being written" if left else ""))
    if problem:
        advice = "Start the server or set MLFLOW_TRACKING_URI, then" if is_server(uri) else "Then"
        raise AlexNetError(
            f"MLflow: {problem}; {len(left)} of {len(before)} are still in .alexnet/spool. {advice} run "
            "`alexnet track sync` again"
        )


@command.command("relocate", cls=Command, help=_RELOCATE_HELP, short_help="Correct the store of a folder that moved.")
@as_json
def relocate(as_json: bool) -> None:
    """Correct the store, then send the spool."""
    from pipeline.tracking import relocation, uploads

    home = find_workspace().home
    changed, backup = relocation.relocate(home)
    if as_json:
        click.echo(json.dumps({"changed": changed, "backup": str(backup) if changed else None}, indent=1))
    elif changed:
        click.echo(f"{changed} paths in mlflow.db corrected to {home}; backup: {backup.name}")
    else:
        click.echo("mlflow.db names the artifacts of this folder; nothing was changed")
    if problem := uploads.send_all(home):
        raise AlexNetError(uploads.kept_sentence(problem))


@command.command("rebuild", cls=Command, help=_REBUILD_HELP, short_help="Recreate missing runs of the current state.")
@as_json
def rebuild(as_json: bool) -> None:
    """Complete the rows of the present state."""
    from pipeline.config.load import workspace_and_config
    from pipeline.tracking import backfill, uploads
    from pipeline.tracking.tracking_uri import tracking_uri, without_password

    workspace, config = workspace_and_config()
    if not uploads.wait(workspace.home, backfill.PATIENCE_SECONDS):
        raise AlexNetError("a pipeline run is being recorded; run `alexnet track rebuild` again when it has ended")
    event = backfill.describe(workspace, config)
    if event is None:
        raise AlexNetError(
            "no stage is up to date in dvc.lock, so there is nothing to backfill; `dvc repro` runs the stages, "
            "`dvc pull` or `dvc checkout` restores outputs that were made before"
        )
    backfill.put(workspace.home, backfill.with_files(workspace.root, event))
    if problem := uploads.send_all(workspace.home):
        raise AlexNetError(uploads.kept_sentence(problem))
    found = {row["variant"]: [stage["stage"] for stage in row["standing"]] for row in event["rows"]}
    wanted = {
        variant: [item.address for item in all_items(config.values) if variant in served_variants(item, config.values)]
        for variant in found
    }
    missing = {variant: [stage for stage in wanted[variant] if stage not in found[variant]] for variant in found}
    if as_json:
        uri = without_password(tracking_uri(workspace.home))
        click.echo(json.dumps({"uri": uri, "stages": found, "missing": missing}, indent=1))
        return
    for variant, stages in found.items():
        gap = f"; out of date: {', '.join(missing[variant])} (`dvc repro`)" if missing[variant] else ", complete"
        click.echo(f"{variant}: {len(stages)} of {len(wanted[variant])} stages{gap}")


@command.command("keep", cls=Command, help=_KEEP_HELP, short_help="Write the results to results/.")
@as_json
def keep(as_json: bool) -> None:
    """Write the results."""
    from pipeline.config.load import PARAMS_FILE, workspace_and_config
    from pipeline.environment.git import changed_files, is_in_repository, require_working
    from pipeline.results import kept

    workspace, config = workspace_and_config()
    require_working(workspace.root)  # else the results would name no commit
    found = kept.collect(workspace, config)
    paths = kept.keep(workspace, config, found)
    click.echo(json.dumps(paths) if as_json else "\n".join(paths))
    if not is_in_repository(workspace.root):
        say(
            "there is no Git repository here, so these results name no commit and `alexnet verify` cannot rerun them; "
            "`git init`, `alexnet setup` and a commit before the run change that"
        )
    if changed := [file for file in changed_files(workspace.root) if not file.startswith((PARAMS_FILE, "results/"))]:
        say(f"{', '.join(changed)} differ from the commit, so the printed commands would not reproduce these runs")


@command.command("import", cls=Command, help=_IMPORT_HELP, short_help="Add kept results to MLflow.")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@as_json
def import_(folder: Path | None, as_json: bool) -> None:
    """Send the results."""
    from pipeline.environment.progress import progress_for
    from pipeline.results import kept
    from pipeline.tracking import uploads
    from pipeline.tracking.tracking_uri import tracking_uri, without_password

    workspace = find_workspace()
    found = kept.load(folder or workspace.root / kept.FOLDER)
    uri = without_password(tracking_uri(workspace.home))
    say(f"{len(found)} results go to {uri}")
    kept.put(workspace.home, found)
    if problem := uploads.send_all(workspace.home, progress_for()):
        raise AlexNetError(uploads.kept_sentence(problem))
    if as_json:
        click.echo(json.dumps({"uri": uri, "results": [result.path for result in found]}, indent=1))
    else:
        click.echo(f"{len(found)} results are in {uri}; `alexnet ui` shows them")
