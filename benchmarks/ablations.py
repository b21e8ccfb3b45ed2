"""Runs the ladder of docs/ablations.yaml: the network of experiments/ablations_cifar10.yaml, and each change of it.

    alexnet use ablations_cifar10 --source-folder FOLDER
    python -m benchmarks.ablations            # 15 trainings for each of three seeds; started again, it goes on

Each run is an experiment of DVC and is kept in results/ablations_cifar10 as soon as it is evaluated, the whole network
first; what is kept is not run again, and a training that was stopped goes on from its checkpoint. A run that fails is
named at the end, and the others are run. params.yaml is reset to the experiment before each run and at the end.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from pipeline.config.experiments import named_experiment
from pipeline.config.load import PARAMS_FILE
from pipeline.environment.workspace import find_workspace
from pipeline.results import ablations
from pipeline.results.kept import FOLDER, load

SEEDS = (2012, 1, 2)
WHOLE = "whole network"


def missing(root: Path, seeds: tuple[int, ...], only: tuple[str, ...]) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """Yield name, seed and changes of every run that is not kept, just before it is due."""
    rungs = {name: rung.overrides() for name, rung in ablations.read_rungs(root).items() if not only or name in only}
    for seed in seeds:
        for name, changes in ({WHOLE: {}} | rungs).items():
            folder = root / FOLDER / ablations.EXPERIMENT
            if seed not in ablations.runs_of(load(folder) if folder.is_dir() else [], changes):
                yield name, seed, changes


def commands(seed: int, changes: Mapping[str, Any]) -> list[list[str]]:
    """Return the commands of one run."""
    options = [f"-S={key}={json.dumps(value)}" for key, value in {"seed": seed, **changes}.items()]
    return [
        ["alexnet", "use", ablations.EXPERIMENT, "--force"],
        ["dvc", "exp", "run", *options, "evaluate@full"],
        ["alexnet", "track", "keep"],
    ]


@click.command()
@click.option("--seed", "seeds", multiple=True, type=int, default=SEEDS, show_default=True)
@click.option("--only", multiple=True, help="A name of docs/ablations.yaml; by default all.")
@click.option("--dry-run", is_flag=True, help="Print the commands, run nothing.")
def main(seeds: tuple[int, ...], only: tuple[str, ...], dry_run: bool) -> None:
    """Run what is not kept yet, and print the table."""
    root = find_workspace().root
    if unknown := set(only) - ablations.read_rungs(root).keys():
        known = ", ".join(ablations.read_rungs(root))
        raise click.UsageError(f"--only {', '.join(sorted(unknown))}: expected names of {ablations.FILE}: {known}")
    active = named_experiment(root, (root / PARAMS_FILE).read_text(encoding="utf-8"))
    if not dry_run and active != ablations.EXPERIMENT:
        raise click.UsageError(f"{PARAMS_FILE} is another experiment; `alexnet use {ablations.EXPERIMENT}` first")
    failed = []
    for name, seed, changes in missing(root, seeds, only):
        for command in commands(seed, changes):
            click.echo(f"{name}, seed {seed}: {' '.join(command)}")
            if not dry_run and subprocess.run(command, cwd=root).returncode:
                failed.append(f"{name}, seed {seed}")
                break
    if dry_run:
        return
    subprocess.run(["alexnet", "use", ablations.EXPERIMENT, "--force"], cwd=root, check=True)
    click.echo(ablations.ablations_table(root))
    if failed:
        raise click.ClickException(f"not finished: {'; '.join(failed)}; the reason is above, and the same again tries")


if __name__ == "__main__":
    main()
