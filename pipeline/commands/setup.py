"""`alexnet setup`: makes DVC work in this tree, also in one without Git."""

import click

from alexnet_tf.errors import AlexNetError
from pipeline.commands.base import Command, example
from pipeline.environment.workspace import find_workspace

_HELP = f"""Set up DVC in this repository; does nothing if it is already set up.

In a project made by `alexnet init`, it also updates code.json after an upgrade of the package.

Fails if the source of the data set has changed since `download`, which `dvc repro` alone would not notice.

{example("alexnet setup")}"""

_WITHOUT_GIT = (
    "no Git repository here: DVC is set to do without. `dvc repro` and `dvc metrics show` "
    "work; `dvc exp`, `dvc params diff` and `dvc metrics diff` do not, and runs carry no commit. "
    "`git init` and `alexnet setup` bring them back."
)


@click.command("setup", cls=Command, help=_HELP, short_help="Set up DVC in this repository, with or without Git.")
def command() -> None:
    """Match DVC's setting to whether there is a Git repository, and see that the data set is that of its source."""
    from pipeline.config.load import load
    from pipeline.environment.dvc_settings import DVC_FOLDER, IDENTITY, NO_IDENTITY, has_identity, match_git
    from pipeline.environment.git import is_in_repository, problem
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
        click.echo(_WITHOUT_GIT)
    else:
        click.echo("ready: Git and DVC both work here")
        if not has_identity(root):
            click.echo(f"{NO_IDENTITY}: {IDENTITY}")
    if renewed := renew(root):
        click.echo(f"{CODE_FILE} is now that of the installed alexnet-tf; `dvc repro` reruns {', '.join(renewed)}")
    config = load(root)
    folder = workspace.located(config.runtime.source_folder)
    if told := require_current(workspace, config.values["download"]["source"], folder).told:
        click.echo(told)
