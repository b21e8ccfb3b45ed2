"""`alexnet init`: makes a project for images of your own, outside a clone."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from alexnet_tf.errors import some
from pipeline.commands.base import Command, example

if TYPE_CHECKING:
    from components.sources.source import Source

_HELP = f"""Make a project for your own images.

FOLDER is the new project: it gets params.yaml, dvc.yaml, a README and DVC's files, and `dvc repro` in it runs the
installed package. The images stay where they are, in one folder for each class, in train/, val/ and test/ or
without these; --source-folder names that place.

{example("alexnet init flowers --source-folder ~/pictures/flowers", "cd flowers", "dvc repro")}"""


@click.command("init", cls=Command, help=_HELP, short_help="Make a project for your own images, outside a clone.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--source-folder", metavar="DIR", type=click.Path(path_type=Path), help="Folder of the class folders.")
def command(folder: Path, source_folder: Path | None) -> None:
    """Write the files, and set up DVC."""
    from pipeline.environment.dvc_settings import match_git
    from pipeline.environment.git import is_in_repository
    from pipeline.project.create import create

    place = Path(os.path.realpath(folder))  # which, as `expanduser` there, never raises: the checks say what is wrong
    found = create(place, Path(os.path.realpath(os.path.expanduser(source_folder))) if source_folder else None)
    match_git(place)
    click.echo(f"{folder}: params.yaml, dvc.yaml and README.md are there; `cd {folder}` and `dvc repro` run them")
    if found is not None:
        click.echo(f"{source_folder}: {_described(found)}")
    if source_folder is None:
        click.echo("put the images into data/sources there, one folder for each class, or set runtime.source_folder")
    if not is_in_repository(place):
        click.echo("there is no Git repository around it; `git init` and `alexnet setup` turn on `dvc exp`")


def _described(found: "Source") -> str:
    """Say how many images and classes a folder has, and what of it is not used."""
    sizes = {split: len(labels) for split, labels in found.labels.items()}
    splits = f": {', '.join(f'{split} {size:,}' for split, size in sizes.items())}" if len(sizes) > 1 else ""
    text = f"{sum(sizes.values()):,} images in {len(found.class_names):,} classes ({some(found.class_names)}){splits}"
    return text + (f"; not used: {some([each.name for each in found.ignored], 1)}" if found.ignored else "")
