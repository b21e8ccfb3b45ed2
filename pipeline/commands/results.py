"""`alexnet results`: what is made of results that are kept in results/."""

import json
import re
from pathlib import Path

import click

from alexnet_tf.errors import ConfigError
from alexnet_tf.whole_file import write_whole
from pipeline.commands import completion
from pipeline.commands.base import Command, as_json, example
from pipeline.environment.workspace import find_workspace

_HELP = f"""Average kept results, publish a model, or draw figure 1.

{example("alexnet results figure1 relu_tanh --plot figure1.png")}"""
_AVERAGE_HELP = f"""Average the predictions of kept results that differ only in their seed (§6).

Scores each model and the mean of their probabilities on ten crops of the test split, and writes the errors to
results/EXPERIMENT/averages. Models and records come from DVC's cache, so this needs the machine that trained them.

{example("alexnet results average results/cifar10/optimized-seed1-….json results/cifar10/optimized-seed2-….json")}"""
_PUBLISH_HELP = f"""Add a trained model to results/pretrained/NAME, for `alexnet predict --pretrained NAME`.

The model is a compressed copy of models/VARIANT. Both are scored on the test split first; loss.json next to the model
says what the compression cost. A model of the same name is replaced.

{example("alexnet results publish optimized my_model")}"""
_FIGURE1_HELP = f"""Print how many epochs ReLU and tanh need to reach 25 % training error (§3.1, figure 1).

{example("alexnet results figure1 relu_tanh --plot figure1.png")}"""


@click.group("results", help=_HELP, short_help="Average kept results, publish a model, draw figure 1.")
def command() -> None:
    """Hold the commands together."""


@command.command("average", cls=Command, help=_AVERAGE_HELP, short_help="Average the predictions of several seeds.")
@click.argument("results", metavar="RESULT...", nargs=-1, required=True, type=click.Path(path_type=Path))
def average(results: tuple[Path, ...]) -> None:
    """Average, and print the table."""
    from pipeline.results.ensembles import averages_table, keep
    from pipeline.results.kept import read_result

    workspace = find_workspace()
    path = keep(workspace, [read_result(each) for each in results])
    click.echo(f"wrote {path.relative_to(workspace.root)}")
    click.echo(averages_table(workspace.root, path.parent.parent.name))


@command.command("publish", cls=Command, help=_PUBLISH_HELP, short_help="Add a trained model to results/pretrained.")
@click.argument("variant", shell_complete=completion.entries("variants"))
@click.argument("name", shell_complete=completion.pretrained)
def publish(variant: str, name: str) -> None:
    """Keep a model."""
    from pipeline.config.load import workspace_and_config
    from pipeline.results.pretrained import FOLDER, keep

    if not re.fullmatch(r"\w[\w-]*", name):
        raise ConfigError(f"NAME: expected letters, digits, - and _, found {name!r}")
    workspace, config = workspace_and_config()
    root, inputs = workspace.root, config.item("evaluate", variant).inputs()
    said = keep(root, root / inputs["model"], root / inputs["records"], root / FOLDER / name)
    click.echo(json.dumps(said, indent=1))


@command.command("figure1", cls=Command, help=_FIGURE1_HELP, short_help="Compare ReLU and tanh in kept results.")
@click.argument("experiment", shell_complete=completion.experiments)
@click.option(
    "--plot", "picture", type=click.Path(dir_okay=False, path_type=Path), help="Also write the curves as a PNG."
)
@as_json
def figure1(experiment: str, picture: Path | None, as_json: bool) -> None:
    """Print the table, and draw."""
    from pipeline.results.figure1 import epochs_by_run, epochs_table, plot, ratio
    from pipeline.results.groups import grouped
    from pipeline.results.kept import FOLDER, load

    if picture and not picture.parent.is_dir():
        raise click.UsageError(f"--plot {picture}: the folder {picture.parent} does not exist; make it first")
    groups = grouped(load(find_workspace().root / FOLDER / experiment))
    said = {"runs": epochs_by_run(groups), "sentence": ratio(groups)}
    click.echo(json.dumps(said, indent=1) if as_json else epochs_table(groups))
    if picture:
        write_whole(picture, plot(groups))
