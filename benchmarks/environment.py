"""The training step of the 2012 network with oneDNN and the C library's variables, each on and off, in one run.

    python -m benchmarks.environment                    # three rounds, a quarter of an hour on two cores

Each setting is a process of its own; a round takes all of them one after the other. Writes
benchmarks/results/environment.csv and renders docs/performance.md.
"""

import os
from itertools import product

import click

from benchmarks.training import BATCH_SIZE, Subject, count, keep, measure
from pipeline.commands.base import Command

# The GNU C library's: large buffers stay with the process instead of going back to the kernel in every step.
KEPT_BUFFERS = {"MALLOC_MMAP_MAX_": "0", "MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "100000000000"}


@click.command(cls=Command)
@count("--batch-size", BATCH_SIZE, "Images of a step (§5).")
@count("--rounds", 3, "How often every setting is measured.")
@count("--steps", 4, "Timed steps in a round, after two to warm up.")
def main(batch_size: int, rounds: int, steps: int) -> None:
    """Measure, write the CSV and render the page."""
    rows = []
    for number, onednn, kept in product(range(1, rounds + 1), (True, False), (True, False)):
        variables = {"TF_ENABLE_ONEDNN_OPTS": str(int(onednn))} | (KEPT_BUFFERS if kept else {})
        others = {name: value for name, value in os.environ.items() if name not in KEPT_BUFFERS}
        figures = measure(Subject("ours", "float32"), batch_size, steps, environment=others | variables)
        rows.append({"round": number, "batch_size": batch_size, "onednn": onednn, "kept_buffers": kept, **figures})
        click.echo(" ".join(f"{name}={value}" for name, value in rows[-1].items()))
    keep("environment", rows)


if __name__ == "__main__":
    main()
