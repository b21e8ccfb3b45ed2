"""`alexnet setup`: makes DVC work in this tree, also in one without Git."""

import configparser
import os
from pathlib import Path

import click

from pipeline.commands.base import Command, example

_HELP = f"""Set up DVC in this repository; does nothing if it is already set up.

In a project made by `alexnet init`, it also updates code.json after an upgrade of the package.

Fails if the source of the data set has changed since `download`, which `dvc repro` alone would not notice.

{example("alexnet setup")}"""

# Of this clone alone: it works where there is no home folder, and changes no settings of other repositories.
IDENTITY = 'git config user.name "Your Name" && git config user.email you@example.org'

DVC_FOLDER = "copy .dvc from a clone, or from a new project that `alexnet init FOLDER` makes elsewhere"

WITHOUT_GIT = (
    "no Git repository here: DVC is set to do without. `dvc repro` and `dvc metrics show` "
    "work; `dvc exp`, `dvc params diff` and `dvc metrics diff` do not, and runs carry no commit. "
    "`git init` and `alexnet setup` bring them back."
)


@click.command("setup", cls=Command, help=_HELP, short_help="Set up DVC in this repository, with or without Git.")
def command() -> None:
    """Match DVC's setting to whether there is a Git repository, and see that the data set is that of its source."""
    from alexnet_tf.errors import AlexNetError
    from pipeline.config.load import load
    from pipeline.environment.git import is_in_repository, problem
    from pipeline.environment.workspace import find_workspace
    from pipeline.stages.installed_code import CODE_FILE, renew
    from pipeline.stages.source_state import require_current

    workspace = find_workspace()
    root = workspace.root
    if not (root / ".dvc").is_dir():
        raise AlexNetError(f"{root}: the folder .dvc is missing; {DVC_FOLDER}")
    match_git(root)
    if broken := problem(root):
        click.echo(f"{broken.told}, so `dvc exp` fails here and runs carry no commit; the way out: {broken.fix}")
    elif not is_in_repository(root):
        click.echo(WITHOUT_GIT)
    else:
        click.echo("ready: Git and DVC both work here")
        if not has_identity(root):
            click.echo(f"Git does not know your name, which `dvc exp` needs: {IDENTITY}")
    if renewed := renew(root):
        click.echo(f"{CODE_FILE} is now that of the installed alexnet-tf; `dvc repro` reruns {', '.join(renewed)}")
    config = load(root)
    folder = workspace.located(config.runtime.source_folder)
    if told := require_current(workspace, config.values["download"]["source"], folder).told:
        click.echo(told)


def match_git(root: Path) -> None:
    """Have DVC work with Git where there is a repository, without where there is none.

    Raises:
        AlexNetError: DVC refuses.
    """
    from alexnet_tf.errors import AlexNetError
    from pipeline.environment.git import is_in_repository
    from pipeline.environment.processes import run_module

    without = not is_in_repository(root)
    if without == is_no_scm(root):
        return
    change = ["core.no_scm", "true"] if without else ["--unset", "core.no_scm"]
    done = run_module("dvc", "config", "--local", *change, cwd=root, capture_output=True)
    if done.returncode:
        raise AlexNetError(f"`dvc config --local {' '.join(change)}` failed: {done.stderr.strip()}")


def has_identity(root: Path) -> bool:
    """Whether Git knows whose commits are made, as DVC asks: unlike Git, it takes no name from the machine."""
    from pipeline.environment.git import setting

    return all(
        os.environ.get(f"GIT_{role}_{what.upper()}") or setting(root, f"user.{what}")
        for role in ("AUTHOR", "COMMITTER")
        for what in ("name", "email")
    )


def is_no_scm(root: Path) -> bool:
    """Whether DVC's own settings for this tree say that there is no Git."""
    settings = configparser.ConfigParser()
    settings.read(root / ".dvc/config.local", encoding="utf-8")
    return settings.getboolean("core", "no_scm", fallback=False)
