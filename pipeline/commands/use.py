"""`alexnet use`: makes an experiment the active params.yaml."""

import json
import os
from pathlib import Path

import click

from pipeline.commands import completion
from pipeline.commands.base import Command, example
from pipeline.environment.workspace import Workspace, find_workspace

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
_HELP = f"""Make experiments/EXPERIMENT.yaml the active params.yaml and say what it runs and costs.

Without EXPERIMENT, list them. With --dry-run, print the difference from params.yaml. The folder of data sets is kept in
params.local.yaml, which Git ignores; without --source-folder it stays as it is.

{example("alexnet use cifar10", "alexnet use imagenette --source-folder ~/datasets --dry-run")}"""


@click.command("use", cls=Command, help=_HELP, short_help="Make an experiment the active params.yaml.")
@click.argument("experiment", required=False, shell_complete=completion.experiments)
@click.option("--source-folder", metavar="DIR", help="Folder of data sets that are already on this machine.")
@click.option("--dry-run", is_flag=True, help="Print the difference, change nothing.")
@click.option("--force", is_flag=True, help="Also discard uncommitted edits of params.yaml, or a broken file.")
@click.option("--json", "as_json", is_flag=True, help="Print the list of experiments as JSON.")
def command(experiment: str | None, source_folder: str | None, dry_run: bool, force: bool, as_json: bool) -> None:
    """Write params.yaml."""
    from pipeline.config import experiments
    from pipeline.config.load import PARAMS_FILE, check, load
    from pipeline.config.local_params import LOCAL_FILE, with_local, write_source_folder
    from pipeline.environment.yaml_file import parse
    from pipeline.stages import outputs
    from pipeline.stages.source_state import NOT_DOWNLOADED, state_of

    workspace = find_workspace()
    if experiment is None:
        if source_folder is not None:
            raise click.UsageError("--source-folder: expected an EXPERIMENT beside it; `alexnet use` lists them")
        _list(workspace, as_json)
        return
    if as_json:
        raise click.UsageError("--json: lists the experiments; leave EXPERIMENT out")
    if source_folder and not os.path.isabs(os.path.expanduser(source_folder)):
        # It is relative to the current folder, and kept relative to home.
        source_folder = os.path.relpath(Path.cwd() / source_folder, workspace.home)
    folder = workspace.located(source_folder)
    if folder and folder.exists() and not folder.is_dir():
        raise click.UsageError(f"--source-folder {source_folder}: expected a folder, found a file")
    old, new, private = experiments.applied(workspace, experiment, source_folder, force)
    content, local = with_local(parse(new, PARAMS_FILE), workspace.home, ())
    source = content["download"]["source"]
    if dry_run:
        for line in experiments.difference(old, new, experiment):
            click.echo(click.style(line, fg=_COLOURS.get(line[:1])))
    else:
        click.echo("\n".join(experiments.heading(new)))
    if private is not None:
        click.echo(f"{LOCAL_FILE}: runtime.source_folder: {private}")
    elif "runtime.source_folder" in local and source != "sample":
        click.echo(
            f"{LOCAL_FILE}: runtime.source_folder is still {content['runtime']['source_folder'] or 'null'}; `alexnet "
            f"use {experiment} --source-folder DIR` changes it"
        )
    if folder and not folder.is_dir():
        does = "says what to put there" if source in NOT_DOWNLOADED else "makes it and fetches what it lacks"
        then = "this experiment reads no folder" if source == "sample" else f"`alexnet download` {does}"
        click.echo(f"{source_folder} does not exist yet; {then}", err=True)
    if dry_run:
        click.echo("nothing was written (--dry-run)")
        return
    if old != new and not force:
        experiments.require_no_edits(workspace, old)
    check(content, local=local)  # before anything is written: params.local.yaml may be wrong
    is_inside = folder is not None and workspace.home.is_relative_to(os.path.realpath(folder))
    if is_inside and source == "image_folder":
        raise click.UsageError(
            f"--source-folder {source_folder}: expected a folder of images, found one that this project is in; move "
            "the project out of it"
        )
    if private is not None:
        write_source_folder(workspace.home, private)
    if old == new:
        click.echo(f"{PARAMS_FILE} is experiment {experiment} already")
    else:
        outputs.write_text(workspace.root / PARAMS_FILE, new)
        click.echo(f"{PARAMS_FILE} is now experiment {experiment}; `dvc repro` runs it")
    files = workspace.located(load(workspace.root).runtime.source_folder)
    if told := state_of(workspace, source, files).told:
        click.echo(told, err=True)


def _list(workspace: Workspace, as_json: bool) -> None:
    """Print each experiment with the first line of its file, and which one params.yaml was made from."""
    from pipeline.config.experiments import described

    found = described(workspace.root)
    if as_json:
        click.echo(json.dumps([each._asdict() for each in found], indent=1))
        return
    for each in found:
        name = click.style(each.name, bold=True) + " (active)" if each.active else each.name
        click.echo(f"{name}: {each.about}")
