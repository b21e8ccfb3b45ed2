"""The fixed cost of a stage: every stage of the sample with a handful of images and kernels.

    python -m benchmarks.stages                        # three rounds, under ten minutes on two cores
    python -m benchmarks.stages --against b8d5bc7      # beside the stages at a revision of Git: twice as long

Each stage is a `dvc repro` of its own, so that its time is start, compilation and end, DVC's included, and hardly any
work. Both are measured in worktrees, of HEAD and of the revision, with the packages of this environment and nothing
sent to MLflow. Writes benchmarks/results/stages.csv and renders docs/performance.md.
"""

import compileall
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import click
from ruamel.yaml import YAML

from alexnet_tf.errors import AlexNetError
from benchmarks.training import count, keep, worktree
from pipeline.commands.base import Command

NOTHING = "nothing to do"
SMALL: dict[str, object] = {
    "download.sample.train_images_per_class": 8,
    "download.sample.validation_images_per_class": 2,
    "download.sample.test_images_per_class": 2,
    "validate.max_corrupt_share": 0.1,
    "compare.bootstrap_samples": 100,
    **{f"variants.{variant}.training.epochs": 1 for variant in ("faithful", "optimized")},
    **{f"variants.{variant}.gate.max_top1_error": 1.0 for variant in ("faithful", "optimized")},
    "variants.faithful.network.filters": [8, 16, 16, 16, 16],
    "variants.faithful.network.dense_units": [32, 32],
    "variants.optimized.network.filters": [8, 8, 8, 8, 8],
    "variants.optimized.network.dense_units": [16, 16],
}
"""Keys of params.yaml -> values with which networks and data train in seconds; the images keep their sizes."""


@click.command(cls=Command, help=__doc__)
@count("--rounds", 3, "How often every stage is measured.")
@click.option("--against", "revision", help="A revision of Git: its stages, beside those of HEAD.")
def main(rounds: int, revision: str | None) -> None:
    """Measure, write the CSV and render the page."""
    rows = []
    with worktree(revision) as then, worktree("HEAD") as now:
        places = {"": now} | ({revision: then} if revision else {})
        for root in places.values():
            edit(root / "params.yaml", SMALL)
            compileall.compile_dir(str(root), quiet=2)
        for number in range(1, rounds + 1):
            for name, root in places.items():
                for stage in [*stages(root), NOTHING]:
                    seconds, cpu_seconds = measure(root, stage)
                    row = {"round": number, "revision": name, "stage": stage}
                    rows.append(row | {"seconds": round(seconds, 2), "cpu_seconds": round(cpu_seconds, 2)})
                    click.echo(" ".join(f"{key}={value}" for key, value in rows[-1].items()))
            keep("stages", rows)  # after each round, as they are long


def edit(path: Path, values: Mapping[str, object]) -> None:
    """Set dotted keys of a YAML file, keeping its comments.

    Raises:
        KeyError: There is no such key.
    """
    yaml = YAML()
    content = yaml.load(path)
    for dotted, value in values.items():
        *parents, key = dotted.split(".")
        place = content
        for parent in parents:
            place = place[parent]
        if key not in place:
            raise KeyError(dotted)
        place[key] = value
    with path.open("w") as file:
        yaml.dump(content, file)


def stages(root: Path) -> list[str]:
    """Name the stages in the order in which DVC runs them."""
    listed = subprocess.run(
        [*_dvc(), "repro", "--dry", "--force"], cwd=root, env=_environment(root), capture_output=True, text=True,
        check=True,
    ).stdout  # fmt: skip
    return [line.split("'")[1] for line in listed.splitlines() if line.startswith("Running stage '")]


def measure(root: Path, stage: str) -> tuple[float, float]:
    """Return the seconds of one stage's `dvc repro`, on the clock and of processors, its children's included."""
    wanted = [] if stage == NOTHING else ["--force", "--single-item", stage]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [*_dvc(), "repro", *wanted], cwd=root, env=_environment(root), capture_output=True, text=True, check=False
    )
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise AlexNetError(f"dvc repro {stage} in {root} exited with {done.returncode}:\n{done.stderr}")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _dvc() -> list[str]:
    return [sys.executable, "-m", "dvc"]


def _environment(root: Path) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    # Where no server answers, records stay in the worktree: MLflow's process would take part of the time.
    quiet = {"DVC_NO_ANALYTICS": "1", "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    return {**os.environ, **quiet, "PATH": path, "PYTHONPATH": str(root)}


if __name__ == "__main__":
    main()
