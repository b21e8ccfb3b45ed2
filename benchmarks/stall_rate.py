"""How often the network of 2012 fails to leave ln K, by profile and seed, on the sample.

    python -m benchmarks.stall_rate                # 3 profiles x 5 seeds; started again, it goes on where it was
    python -m benchmarks.stall_rate --profile paper -S variants.faithful.network.bias=[0,0,0,0,0,0,0,0]

Writes each row into benchmarks/results/stall_rate.csv, next to those of other profiles, changes and seeds. A training
has stalled when the mean loss of its last epoch is above 0.98 ln K, or when its guard stopped it for that; such a row
has the loss of that epoch and no error. The data are those of `dvc repro statistics` of the experiment `sample`; a seed
changes the training alone.
"""

import json
import re
from pathlib import Path

import click

from alexnet_tf.errors import AlexNetError
from benchmarks import pages, results
from benchmarks.machine import describe
from pipeline.commands.base import Command
from pipeline.config import experiments
from pipeline.config.load import PARAMS_FILE, load
from pipeline.environment.workspace import Workspace, find_workspace
from pipeline.stages.fingerprint import fingerprint
from pipeline.verify import sandbox

PROFILES = ("original", "paper", "caffe")
EXPERIMENT = "sample"  # whose data the rows are of
COLUMNS = ("profile", "changed", "seed", "stalled", "train_loss", "validation_top1_error")
# What alexnet_tf.training.guards says of a training that it stops at ln K.
_STALLED = re.compile(r"ends at step \d+ is (\d+\.\d+), still that of guessing")


@click.command(cls=Command)
@click.option("--profile", "profiles", multiple=True, type=click.Choice(PROFILES), default=PROFILES, show_default=True)
@click.option("--seeds", default=5, show_default=True, type=click.IntRange(1), help="Seeds 1 to N of each.")
@click.option("--set", "-S", "changes", multiple=True, metavar="KEY=VALUE", help="As for `alexnet train`.")
def main(profiles: tuple[str, ...], seeds: int, changes: tuple[str, ...]) -> None:
    """Train what is not trained yet, and print the table."""
    workspace = find_workspace()
    root = workspace.root
    require_sample(workspace)
    changed = " ".join(change.removeprefix("variants.faithful.") for change in changes)
    for profile in profiles:
        for seed in range(1, seeds + 1):
            own = (*changes, f"variants.faithful.profile={profile}", f"seed={seed}")
            config = load(root, own)
            item = config.item("train", "faithful")
            folder = workspace.scratch / "stall_rate" / fingerprint(root, item, config.params[item.address])
            row = (profile, changed, seed, *(found(folder) or _train(folder, root, own)))
            click.echo(" ".join(f"{name}={value}" for name, value in zip(COLUMNS, row, strict=True)), err=True)
            _write(row)
    click.echo(pages.stall_rate(results.load("stall_rate")[1]))


def require_sample(workspace: Workspace) -> None:
    """See that the data are those of the other rows, which name none.

    Raises:
        click.UsageError: params.yaml is another experiment, or has changes.
    """
    name = experiments.active_name(workspace)
    if name != EXPERIMENT or experiments.changes(workspace, name, "faithful"):
        raise click.UsageError(
            f"{PARAMS_FILE} is not experiments/{EXPERIMENT}.yaml as it is, of whose data all rows are; "
            f"`alexnet use {EXPERIMENT}` and `dvc repro statistics` first"
        )


def found(folder: Path) -> tuple[bool, float, float | str] | None:
    """Return whether the training in a folder stalled, its last loss and error; None where it did not end."""
    metrics, log = folder / "reports" / "train" / "faithful" / "metrics.json", folder / "log.txt"
    if metrics.exists():
        content = json.loads(metrics.read_text())
        return content["stalled"], content["last"]["train_loss"], content["last"]["validation_top1_error"]
    told = _STALLED.search(log.read_text(errors="replace")) if log.exists() else None
    return (True, float(told[1]), "") if told else None


def _train(folder: Path, root: Path, changes: tuple[str, ...]) -> tuple[bool, float, float | str]:
    if not folder.exists():
        sandbox.make(folder, root)
    sandbox.train(folder, "faithful", changes).wait()
    if (outcome := found(folder)) is None:
        raise AlexNetError(f"the training failed: see {folder / 'log.txt'}")
    return outcome


def _write(row: tuple) -> None:
    new: dict[str, object] = dict(zip((*COLUMNS, "machine"), (*row, "; ".join(describe())), strict=True))
    # Of profile, change and seed the latest.
    whole = {tuple(str(each[name]) for name in COLUMNS[:3]): each for each in (*results.load("stall_rate")[1], new)}
    results.write("stall_rate", list(whole.values()))


if __name__ == "__main__":
    main()
