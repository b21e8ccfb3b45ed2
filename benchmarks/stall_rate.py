"""How often the network of 2012 fails to leave ln K, by profile and seed, on the data of the active params.yaml.

    python -m benchmarks.stall_rate                # 3 profiles x 5 seeds; started again, it goes on where it was
    python -m benchmarks.stall_rate --profile paper -S variants.faithful.network.bias=[0,0,0,0,0,0,0,0]

Writes its rows into benchmarks/results/stall_rate.csv, next to those of other profiles, changes and seeds. A training
has stalled when the mean loss of its last epoch is above 0.98 ln K. The data are those of `dvc repro statistics`; a
seed changes the training alone.
"""

import json
from pathlib import Path

import click

from benchmarks import pages, results
from benchmarks.machine import describe
from pipeline.config.load import load
from pipeline.environment.workspace import find_workspace
from pipeline.stages.fingerprint import fingerprint
from pipeline.verify import sandbox

PROFILES = ("original", "paper", "caffe")
COLUMNS = ("profile", "changed", "seed", "stalled", "train_loss", "validation_top1_error")


@click.command()
@click.option("--profile", "profiles", multiple=True, type=click.Choice(PROFILES), default=PROFILES, show_default=True)
@click.option("--seeds", default=5, show_default=True, help="Seeds 1 to N of each.")
@click.option("--set", "-S", "changes", multiple=True, metavar="KEY=VALUE", help="As for `alexnet train`.")
def main(profiles: tuple[str, ...], seeds: int, changes: tuple[str, ...]) -> None:
    """Train what is not trained yet, and print the table."""
    workspace = find_workspace()
    root = workspace.root
    changed, rows = " ".join(change.removeprefix("variants.faithful.") for change in changes), []
    for profile in profiles:
        for seed in range(1, seeds + 1):
            own = (*changes, f"variants.faithful.profile={profile}", f"seed={seed}")
            config = load(root, own)
            item = config.item("train", "faithful")
            folder = workspace.scratch / "stall_rate" / fingerprint(root, item, config.params[item.address])
            metrics = folder / "reports" / "train" / "faithful" / "metrics.json"
            if not metrics.exists():
                _train(folder, root, own)
            content = json.loads(metrics.read_text())
            last = content["last"]
            rows.append((profile, changed, seed, content["stalled"], last["train_loss"], last["validation_top1_error"]))
            click.echo(" ".join(f"{name}={value}" for name, value in zip(COLUMNS, rows[-1], strict=True)), err=True)
    _write(rows)
    click.echo(pages.stall_rate(results.load("stall_rate")[1]))


def _train(folder: Path, root: Path, changes: tuple[str, ...]) -> None:
    if not folder.exists():
        sandbox.make(folder, root)
    if sandbox.train(folder, "faithful", changes).wait():
        raise click.ClickException(f"the training failed: see {folder / 'log.txt'}")


def _write(rows: list[tuple]) -> None:
    machine = "; ".join(describe())
    new: list[dict[str, object]] = [dict(zip((*COLUMNS, "machine"), (*row, machine), strict=True)) for row in rows]
    # Of profile, change and seed the latest.
    whole = {tuple(str(row[name]) for name in COLUMNS[:3]): row for row in (*results.load("stall_rate")[1], *new)}
    results.write("stall_rate", list(whole.values()))


if __name__ == "__main__":
    main()
