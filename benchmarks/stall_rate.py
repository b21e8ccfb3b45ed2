"""How often the network of 2012 fails to leave ln K, by profile and seed, on the data of the active params.yaml.

    python -m benchmarks.stall_rate                # 3 profiles x 5 seeds; started again, it goes on where it was
    python -m benchmarks.stall_rate --profile paper --seeds 1

Writes benchmarks/results/stall_rate.csv and prints it as a table. A training has stalled when the mean loss of its last
epoch is above 0.98 ln K. The data are those of `dvc repro statistics`; a seed changes the training alone.
"""

import csv
import json
from pathlib import Path

import click

from benchmarks.machine import describe
from pipeline import arena
from pipeline.workspace import find_workspace

PROFILES = ("original", "paper", "caffe")
COLUMNS = ("profile", "seed", "stalled", "train_loss", "validation_top1_error")


@click.command()
@click.option("--profile", "profiles", multiple=True, default=PROFILES, show_default=True, help="Profiles to train.")
@click.option("--seeds", default=5, show_default=True, help="Seeds 1 to N of each.")
@click.option("--set", "-S", "changes", multiple=True, metavar="KEY=VALUE", help="As for `alexnet train`.")
def main(profiles: tuple[str, ...], seeds: int, changes: tuple[str, ...]) -> None:
    """Train what is not trained yet, and print the table."""
    root = find_workspace().root
    rows = []
    for profile in profiles:
        for seed in range(1, seeds + 1):
            folder = root / ".alexnet" / "stall_rate" / f"{profile}-{seed}"
            metrics = folder / "reports" / "train" / "faithful" / "metrics.json"
            if not metrics.exists():
                _train(folder, root, (*changes, f"variants.faithful.profile={profile}", f"seed={seed}"))
            content = json.loads(metrics.read_text())
            last = content["last"]
            rows.append((profile, seed, content["stalled"], last["train_loss"], last["validation_top1_error"]))
            click.echo(" ".join(f"{name}={value}" for name, value in zip(COLUMNS, rows[-1], strict=True)), err=True)
    _write(root / "benchmarks" / "results" / "stall_rate.csv", rows)
    click.echo("| profile | stalled | validation top-1 error of each seed |\n| --- | --- | --- |")
    for profile in profiles:
        mine = [row for row in rows if row[0] == profile]
        errors = ", ".join(f"{row[4]:.3f}" for row in mine)
        click.echo(f"| `{profile}` | {sum(row[2] for row in mine)} of {len(mine)} | {errors} |")


def _train(folder: Path, root: Path, changes: tuple[str, ...]) -> None:
    if not folder.exists():
        arena.make(folder, root)
    if arena.train(folder, "faithful", changes).wait():
        raise click.ClickException(f"the training failed: see {folder / 'log.txt'}")


def _write(path: Path, rows: list[tuple]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        file.writelines(f"# {line}\n" for line in describe())
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
