"""Runs the ladder of docs/ablations.yaml: the network of experiments/ablations_cifar10.yaml, and each change of it.

    alexnet use ablations_cifar10 --source-folder FOLDER
    python -m benchmarks.ablations            # 15 trainings for each of three seeds; started again, it goes on

Each run is an experiment of DVC and is kept in results/ablations_cifar10 as soon as it is evaluated, the whole network
first; what is kept is not run again, and a training that was stopped goes on from its checkpoint. A training that comes
to nothing is noted in did_not_train.json there and is not run again either. A run that fails otherwise is named at the
end, and the others are run. All runs of one seed are of one kind of machine and of one code of training. params.yaml is
reset to the experiment before each run and at the end.

Ctrl-C and SIGTERM are passed on: a training saves its checkpoint, and nothing more is run.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from alexnet_tf.errors import AlexNetError
from alexnet_tf.stop import Stop
from pipeline.commands.base import Command, say
from pipeline.config.experiments import named_experiment
from pipeline.config.load import PARAMS_FILE
from pipeline.environment.git import commit_of, git
from pipeline.environment.interruption import Interrupted, Interruption
from pipeline.environment.provenance import provenance_tags
from pipeline.environment.workspace import find_workspace
from pipeline.results import ablations, lost_trainings
from pipeline.results.lost_trainings import WHOLE, LostTraining
from pipeline.results.rungs import FILE, read_rungs

SEEDS = (2012, 1, 2)
RESET = ["alexnet", "use", ablations.EXPERIMENT, "--force"]
_DEVICES = ("host.cpu", "host.gpus")  # the precision `auto` follows from them
# What the numbers of a training follow from.
_CODE = ("alexnet_tf/data", "alexnet_tf/models", "alexnet_tf/training", "alexnet_tf/random_streams.py")
_STOPPED = (130, 143, -signal.SIGINT, -signal.SIGTERM)
_STAGE_STOPPED = re.compile(r"exited with (130|143)\b")  # DVC's words, whose own exit code says nothing
_GOES_ON = "the ladder goes on from there when it is started again"


def missing(root: Path, seeds: tuple[int, ...], only: tuple[str, ...]) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """Yield name, seed and changes of every run that is not kept, just before it is due."""
    rungs = {name: rung.overrides() for name, rung in read_rungs(root).items() if not only or name in only}
    for seed in seeds:
        for name, changes in ({WHOLE: {}} | rungs).items():
            lost = {(each.rung, each.seed) for each in lost_trainings.read(root)}
            if (WHOLE, seed) in lost:
                break  # there is nothing to compare with
            if (name, seed) not in lost and seed not in ablations.runs_of(ablations.kept_runs(root), changes):
                yield name, seed, changes


def commands(seed: int, changes: Mapping[str, Any]) -> list[list[str]]:
    """Return the commands of one run."""
    options = [f"-S={key}={json.dumps(value)}" for key, value in {"seed": seed, **changes}.items()]
    return [RESET, ["dvc", "exp", "run", *options, "evaluate@full"], ["alexnet", "track", "keep"]]


def require_their_machine(root: Path, seeds: tuple[int, ...], only: tuple[str, ...]) -> None:
    """Check that what is to be run belongs on this machine.

    Raises:
        AlexNetError: Runs of one of the seeds are kept from another kind.
    """
    due = list(dict.fromkeys(seed for _, seed, _ in missing(root, seeds, only)))
    here = provenance_tags(root)
    elsewhere = {
        each.seed: each
        for each in ablations.kept_runs(root)
        if each.seed in due and _devices(each.row["tags"]) != _devices(here)
    }
    if elsewhere:
        one = next(iter(elsewhere.values()))
        others = [f"--seed {seed}" for seed in due if seed not in elsewhere] or ["--seed NUMBER"]
        raise AlexNetError(
            f"{one.path} is of {_devices(one.row['tags'])}, and this machine has {_devices(here)}, where other runs of "
            f"seed {one.seed} cannot be compared with it; run them on that kind of machine, or other seeds here: "
            f"{' '.join(others)}"
        )


def require_their_code(root: Path, seeds: tuple[int, ...], only: tuple[str, ...]) -> None:
    """Check that what is to be run is trained by the code of the runs that it will be compared with.

    Raises:
        AlexNetError: The code of a kept run of one of the seeds is known, and is not that of the working tree.
    """
    due = list(dict.fromkeys(seed for _, seed, _ in missing(root, seeds, only)))
    for each in ablations.kept_runs(root):
        commit = each.row["tags"].get("mlflow.source.git.commit", "")
        changed = (git(root, "diff", "--name-only", commit, "--", *_CODE) or "") if each.seed in due and commit else ""
        if changed:
            raise AlexNetError(
                f"{each.path} is of commit {commit[:12]}, since which {', '.join(changed.split())} changed, so other "
                f"runs of seed {each.seed} cannot be compared with it; run them in a clone at that commit, or other "
                "seeds here: --seed NUMBER"
            )


def _devices(tags: Mapping[str, str]) -> str:
    return " with ".join(tags[name] for name in _DEVICES if name in tags) or "a processor that was not recorded"


def run(command: list[str], root: Path) -> tuple[int, str]:
    """Run a command, and return its exit code and what it wrote to standard error, which is shown as it comes.

    Raises:
        KeyboardInterrupt: A signal came, which the command was given as SIGTERM; it has ended since.
        Interrupted: It was stopped by a signal of its own.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=root, stderr=pipe, text=True, errors="replace", start_new_session=True) as child:
        try:
            told = _shown(child)
        except KeyboardInterrupt:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)  # also to the stage: below a shell it would outlive `dvc`
            _shown(child)  # `dvc` ends at once, but the stage saves first; the end of its words is its end
            raise
        code = child.wait()
    if code in _STOPPED or (code and _STAGE_STOPPED.search(told)):
        raise Interrupted(f"`{' '.join(command)}` was stopped; {_GOES_ON}", signal.SIGTERM)
    return code, told


def _shown(child: "subprocess.Popen[str]") -> str:
    told = []
    for line in child.stderr or ():
        click.echo(line, nl=False, err=True)
        told.append(line)
    return "".join(told)


def climb(root: Path, seeds: tuple[int, ...], only: tuple[str, ...]) -> list[str]:
    """Run what is not kept, and name the runs that failed."""
    failed = []
    for name, seed, changes in missing(root, seeds, only):
        for command in commands(seed, changes):
            click.echo(f"{name}, seed {seed}: {' '.join(command)}")
            code, told = run(command, root)
            if code and (error := lost_trainings.sentence(told)):
                processor, commit = provenance_tags(root)["host.cpu"], commit_of(root, "HEAD") or ""
                lost = LostTraining(rung=name, seed=seed, error=error, processor=processor, commit=commit)
                lost_trainings.add(root, lost)
                break
            if code:
                failed.append(f"{name}, seed {seed}")
                break
    return failed


@click.command(cls=Command)
@click.option("--seed", "seeds", multiple=True, type=int, default=SEEDS, show_default=True)
@click.option("--only", multiple=True, help=f"A name of {FILE}; by default all.")
@click.option("--dry-run", is_flag=True, help="Print the commands, run nothing.")
@click.pass_context
def main(ctx: click.Context, seeds: tuple[int, ...], only: tuple[str, ...], dry_run: bool) -> None:
    """Run what is not kept yet, and print the table."""
    root = find_workspace().root
    if unknown := set(only) - read_rungs(root).keys():
        known = ", ".join(read_rungs(root))
        raise click.UsageError(f"--only {', '.join(sorted(unknown))}: expected names of {FILE}: {known}")
    if dry_run:
        for name, seed, changes in missing(root, seeds, only):
            for command in commands(seed, changes):
                click.echo(f"{name}, seed {seed}: {' '.join(command)}")
        return
    if named_experiment(root, (root / PARAMS_FILE).read_text(encoding="utf-8")) != ablations.EXPERIMENT:
        raise click.UsageError(f"{PARAMS_FILE} is another experiment; `alexnet use {ablations.EXPERIMENT}` first")
    require_their_machine(root, seeds, only)
    require_their_code(root, seeds, only)
    interruption = Interruption(Stop(), "ablations")
    try:
        with interruption.heard():
            failed = climb(root, seeds, only)
            if run(RESET, root)[0]:
                failed.append(f"`{' '.join(RESET)}`")
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; {_GOES_ON}", interruption.number) from None
    if failed:
        say(f"not finished: {'; '.join(failed)}; the reason is above, and the same again tries", error=True)
    click.echo(ablations.ablations_table(root))
    ctx.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
