"""The training step of the 2012 network against the machine's own matrix products, Keras and PyTorch, in one run.

    python -m benchmarks.training                       # all subjects, three rounds, about half an hour on two cores
    python -m benchmarks.training --rounds 1 --only ours --only "matrix product"

Each subject is a process of its own; a round takes all of them one after the other, so that a change in the machine's
load hits all. Writes benchmarks/results/training.csv and renders docs/performance.md. Shares and ratios are taken
within a round; the page gives their medians. PyTorch is measured where it is installed: `pip install --group bench`.
"""

import csv
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from benchmarks.machine import describe

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "training.csv"
MANY_IMAGES = 50_000


class Subject(NamedTuple):
    """What is measured: a name of `subjects.SUBJECTS`, the precision, and the images of its records (0: its own)."""

    name: str
    precision: str
    images: int = 0


PLAN = [
    *(Subject(name, precision) for precision in ("float32", "bfloat16") for name in ("matrix product", "ours")),
    Subject("ours, real data", "float32"),
    Subject("ours, real data", "float32", MANY_IMAGES),
    Subject("ours, real data", "bfloat16"),
    Subject("Keras fit", "float32"),
    *(Subject("PyTorch", precision) for precision in ("float32", "bfloat16")),
]


@click.command()
@click.option("--batch-size", default=128, show_default=True, help="Images of a step (§5).")
@click.option("--rounds", default=3, show_default=True, help="How often every subject is measured.")
@click.option("--steps", default=5, show_default=True, help="Timed steps in a round, after two to warm up.")
@click.option("--only", "names", multiple=True, help="Measure these subjects alone, and write no result.")
def main(batch_size: int, rounds: int, steps: int, names: tuple[str, ...]) -> None:
    """Measure, write the CSV and render the page."""
    plan = [subject for subject in PLAN if not names or subject.name in names]
    if importlib.util.find_spec("torch") is None:
        click.echo("PyTorch is not installed and left out: pip install --group bench", err=True)
        plan = [subject for subject in plan if subject.name != "PyTorch"]
    rows = []
    for number in range(1, rounds + 1):
        for subject in plan:
            row = {
                "round": number,
                "batch_size": batch_size,
                **subject._asdict(),
                **measure(subject, batch_size, steps, environment=os.environ),
            }
            rows.append(row)
            click.echo(" ".join(f"{name}={value}" for name, value in row.items()))
    if not names:
        keep(RESULTS, rows)


def keep(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write a result with its machine, and render the page."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        file.writelines(f"# {line}\n" for line in describe())
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    subprocess.run([sys.executable, "-m", "benchmarks.performance_page"], cwd=ROOT, check=True)


def measure(subject: Subject, batch_size: int, steps: int, *, environment: Mapping[str, str]) -> dict[str, float | int]:
    """Return the median of the steps and the peak memory of a subject in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.subjects", subject.name, subject.precision, batch_size, steps]
    command += [subject.images] if subject.images else []
    quiet = {**environment, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([*map(str, command)], cwd=ROOT, env=quiet, stdout=subprocess.PIPE, text=True, check=True)
    measured = json.loads(done.stdout.splitlines()[-1])
    return {
        "milliseconds": round(statistics.median(measured["seconds"]) * 1e3, 1),
        "peak_mib": round(measured["peak_bytes"] / 2**20),
    }


if __name__ == "__main__":
    main()
