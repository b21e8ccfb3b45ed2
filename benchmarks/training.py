"""The training step of the 2012 network against the machine's own matrix products, Keras and PyTorch, in one run.

    python -m benchmarks.training                       # all subjects, three rounds
    python -m benchmarks.training --against b8d5bc7     # also our step at a revision of Git
    python -m benchmarks.training --rounds 1 --only ours --only "matrix product"

Each subject is a process of its own; a round takes all of them one after the other, so that a change in the machine's
load hits all. Writes benchmarks/results/training-PROCESSOR.csv and renders docs/performance.md, which has the rows of
every processor. A file is replaced only by a run of all its subjects, unless `--drop` says otherwise, and once there
are as many rounds as in it. Shares and ratios are taken within a round; the page gives their medians. bfloat16 is
measured where the processor multiplies it by instructions, PyTorch where it is installed: `pip install --group bench`.
"""

import importlib.util
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click

from alexnet_tf.devices.processor import processor_has_bfloat16, processor_name
from alexnet_tf.errors import AlexNetError
from benchmarks import results
from benchmarks.results import ROOT
from pipeline.commands.base import Command
from pipeline.environment.git import commit_of

MANY_IMAGES = 50_000
BATCH_SIZE = 128  # §5
BATCH_SIZES = {"ours, ten views of a test": 32, "ours, optimized for CIFAR-10": 512}  # where it is not the option's
AT = " at "  # between a subject and the revision that it is measured at


class Subject(NamedTuple):
    """What is measured: a name of `subjects.SUBJECTS`, the precision, and the images of its records (0: its own)."""

    name: str
    precision: str
    images: int = 0


PLAN = [  # what a ratio compares is measured close together: a machine's speed drifts within minutes
    Subject(name, precision, images)
    for precision in ("float32", "bfloat16")
    for name, images, only in (
        ("PyTorch", 0, None),
        ("matrix product", 0, None),
        ("ours", 0, None),
        ("ours, real data", 0, None),
        ("Keras fit", 0, "float32"),
        ("our LRN alone", 0, None),
        ("ours, ten views of a test", 0, None),
        ("ours, optimized for CIFAR-10", 0, None),
        ("ours, real data", MANY_IMAGES, "float32"),
    )
    if only in (None, precision)
]
NAMES = list(dict.fromkeys(subject.name for subject in PLAN))


def count(name: str, default: int, text: str) -> Callable:
    """Return an option that takes 1 or more."""
    return click.option(name, default=default, show_default=True, type=click.IntRange(1), help=text)


@click.command(cls=Command)
@count("--batch-size", BATCH_SIZE, "Images of a step (§5).")
@count("--rounds", 3, "How often every subject is measured.")
@count("--steps", 5, "Timed steps in a round, after two to warm up.")
@click.option(
    "--only", "names", multiple=True, type=click.Choice(NAMES), help="Measure these subjects alone; no result is kept."
)
@click.option("--against", "revision", help="A revision of Git: our step there, from a worktree, beside ours here.")
@click.option("--drop", is_flag=True, help="Leave out what the file has and this run does not measure.")
def main(batch_size: int, rounds: int, steps: int, names: tuple[str, ...], revision: str | None, drop: bool) -> None:
    """Measure, write the CSV and render the page."""
    plan, file = measurable(names, revision), f"training-{slug(processor_name())}"
    if not names and not drop:
        require_all(file, plan)
    kept_rounds = max((int(row["round"]) for row in results.load(file)[1]), default=0)  # not lost to fewer
    rows = []
    with worktree(revision) as other:
        for number in range(1, rounds + 1):
            for subject in plan:
                images = BATCH_SIZES.get(subject.name, batch_size)
                root = other if AT in subject.name else ROOT
                figures = measure(subject, images, steps, environment=os.environ, root=root)
                rows.append({"round": number, "batch_size": images, **subject._asdict(), **figures})
                click.echo(" ".join(f"{name}={value}" for name, value in rows[-1].items()))
            if not names and number >= min(rounds, kept_rounds):
                keep(file, rows)
    for line in against(rows) if names else ():
        click.echo(line)


def measurable(names: Sequence[str], revision: str | None) -> list[Subject]:
    """Return the subjects of these names, or all, that this machine can measure, `ours` at a revision too.

    Raises:
        click.UsageError: None is left, or `revision` has nothing to be compared with.
    """
    plan = [subject for subject in PLAN if not names or subject.name in names]
    if importlib.util.find_spec("torch") is None:
        click.echo("PyTorch is not installed and left out: pip install --group bench", err=True)
        plan = [subject for subject in plan if subject.name != "PyTorch"]
    if not processor_has_bfloat16():
        click.echo("this processor has no instructions for bfloat16, which is left out", err=True)
        plan = [subject for subject in plan if subject.precision != "bfloat16"]
    if not plan:
        raise click.UsageError(f"nothing to measure: {', '.join(names)} is not available on this machine")
    ours = [subject for subject in plan if subject.name == "ours"]
    if revision and not ours:
        raise click.UsageError("--against compares ours with ours; add --only ours")
    for subject in ours if revision else ():
        plan.insert(plan.index(subject) + 1, Subject(f"{subject.name}{AT}{revision}", subject.precision))
    return plan


def require_all(file: str, plan: Sequence[Subject]) -> None:
    """See that no subject of the file would be lost: texts of the page speak of them.

    Raises:
        click.UsageError: The file has one that is not planned.
    """
    planned = {(subject.name, subject.precision) for subject in plan}
    rows = results.load(file)[1]
    gone = [key for row in rows if (key := (row["name"], row["precision"])) not in planned]
    if gone:
        named = "; ".join(", ".join(key) for key in dict.fromkeys(gone))
        raise click.UsageError(
            f"benchmarks/results/{file}.csv would lose {named}: measure that, too (`at` a revision with --against, or "
            "`make bench AGAINST=REV`; PyTorch after `pip install -c constraints.txt --group bench`), or add --drop"
        )


@contextmanager
def worktree(revision: str | None) -> Iterator[Path]:
    """Give the files of a revision in a folder of their own for as long as the context lasts; without one, these.

    Raises:
        click.BadParameter: Git knows no such revision.
    """
    if revision is None:
        yield ROOT
        return
    if commit_of(ROOT, revision) is None:
        raise click.BadParameter(f"expected a revision of Git, got {revision}", param_hint="--against")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "worktree"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", path, revision], cwd=ROOT, check=True)
        try:
            yield path
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", path], cwd=ROOT, check=True)


def against(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Return a line for each precision in which ours was measured at a revision: how many times as fast ours is now."""
    seconds = {(row["round"], row["name"], row["precision"]): float(str(row["milliseconds"])) for row in rows}
    ratios: dict[tuple[object, object], list[float]] = {}
    for (number, name, precision), value in seconds.items():
        if AT in str(name):
            ratios.setdefault((name, precision), []).append(value / seconds[number, "ours", precision])
    return [
        f"ours is {statistics.median(each):.2f} times as fast as {name}, {precision} "
        f"({min(each):.2f} to {max(each):.2f})"
        for (name, precision), each in ratios.items()
    ]


def slug(name: str) -> str:
    """Return a name as a part of a file's: `AMD EPYC (family 25 model 17)` as `amd-epyc-family-25-model-17`."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def keep(name: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Write a result with its machine, and render the page."""
    from benchmarks import performance_page

    results.write(name, rows)
    performance_page.main()


def measure(
    subject: Subject, batch_size: int, steps: int, *, environment: Mapping[str, str], root: Path = ROOT
) -> dict[str, float | int]:
    """Return the median of the steps and the peak memory of a subject, in a process of its own that runs in `root`.

    Raises:
        AlexNetError: The process failed.
    """
    name = subject.name.partition(AT)[0]
    command = [sys.executable, "-m", "benchmarks.subjects", name, subject.precision, batch_size, steps]
    command += [subject.images] if subject.images else []
    quiet = {**environment, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([*map(str, command)], cwd=root, env=quiet, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise AlexNetError(f"{subject.name}, {subject.precision}, failed with exit code {done.returncode}")
    measured = json.loads(done.stdout.splitlines()[-1])
    return {
        "milliseconds": round(statistics.median(measured["seconds"]) * 1e3, 1),
        "peak_mib": round(measured["peak_bytes"] / 2**20),
    }


if __name__ == "__main__":
    main()
