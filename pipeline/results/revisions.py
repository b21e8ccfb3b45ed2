"""Brings the reports of past runs back: any Git revision or DVC experiment, compared with what is here.

DVC's cache still holds them, so nothing is trained or evaluated again: the bits in correct.npz are enough for a
paired test. Where the cache does not, in a fresh clone for example, the errors are in the metrics.json of the commit.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from alexnet_tf.errors import AlexNetError, ConfigError, DataError
from alexnet_tf.profiles import resolve
from pipeline.config.load import PARAMS_FILE, Config
from pipeline.environment.git import commit_of, committed, experiments_named, is_in_repository, require_working
from pipeline.environment.workspace import Workspace
from pipeline.environment.yaml_file import parse
from pipeline.results.report import figures_of
from pipeline.stages.claims import claimed_lock, claimed_metrics
from pipeline.stages.dvc_cache import bring
from pipeline.stages.dvc_lock import read_lock
from pipeline.stages.table import DATASET, METRICS_FILE

if TYPE_CHECKING:
    from alexnet_tf.comparison.compare import Evaluation, TrainingReport

_STAGES = ("train", "evaluate")


class Compared(NamedTuple):
    """Variants of several runs side by side.

    Attributes:
        comparison: As `alexnet_tf.comparison.compare.compare` returns it.
        figures: The pictures by file name.
        notes: What the comparison lacks, a sentence each.
    """

    comparison: dict[str, Any]
    figures: dict[str, bytes]
    notes: list[str]


def compare_with(workspace: Workspace, config: Config, revisions: tuple[str, ...]) -> Compared:
    """Compare the variants here, if any was run, with all those of past revisions.

    A past variant is compared with the first of its name whose answers are known: that of this folder, else that of
    an earlier revision. One without a namesake is compared with the baseline.

    Args:
        workspace: Its reports are of the current parameters.
        config: Of the current parameters; its section `compare` holds.
        revisions: Git revisions or names of DVC experiments; their variants are called VARIANT@REVISION.

    Raises:
        ConfigError: There is no such revision, or a name is that of several experiments.
        AlexNetError: Neither its reports nor its errors can be had, or it was tested on other images.
    """
    from alexnet_tf.comparison.compare import compare
    from components.compare import read_evaluation, read_training

    evaluations: dict[str, Evaluation] = {}
    trainings: dict[str, TrainingReport] = {}
    variants: dict[str, Any] = {}
    figures: dict[str, bytes] = {}
    notes = []

    def take(name: str, folder: Path, params: Any) -> None:
        training, evaluation = (folder / "reports" / stage / name.partition("@")[0] for stage in _STAGES)
        trainings[name], evaluations[name] = read_training(training), read_evaluation(evaluation)
        variants[name] = params
        figures.update(figures_of(evaluation, name))

    commits = {revision: _commit(workspace.root, revision) for revision in revisions}
    past = {revision: _variants(workspace.root, revision, commit) for revision, commit in commits.items()}
    here = config.values["variants"]
    was_run = any((workspace.root / "reports" / stage / name).exists() for name in here for stage in _STAGES)
    if was_run:
        for variant, params in here.items():
            take(variant, workspace.root, params)
    else:
        notes.append("nothing was run here, so the table shows only past runs")
    for revision, commit in commits.items():
        with tempfile.TemporaryDirectory() as place:
            gone = []
            for variant, params in past[revision].items():
                name = f"{variant}@{revision}"
                if all(bring(workspace, Path(place), f"reports/{stage}/{variant}", commit) for stage in _STAGES):
                    take(name, Path(place), params)
                    continue
                gone.append(variant)
                trainings[name], evaluations[name] = _errors_alone(workspace.root, revision, commit, variant)
                variants[name] = params
        if gone:
            notes.append(_what_is_gone(workspace, revision, commit, gone))
    section = config.values["compare"]
    names = (section["baseline"], *(f"{section['baseline']}@{revision}" for revision in revisions), *variants)
    comparison = compare(
        evaluations,
        trainings,
        variants,
        baseline=next(name for name in names if name in variants),
        confidence=section["confidence"],
        bootstrap_samples=section["bootstrap_samples"],
        against=_namesakes(evaluations),
    )
    return Compared(comparison, figures, notes)


def _namesakes(evaluations: "Mapping[str, Evaluation]") -> dict[str, str]:
    """Tell which variants are compared with the first of their name whose answers are known."""
    first: dict[str, str] = {}
    known = [name for name, evaluation in evaluations.items() if evaluation.correct]
    found = {name: first.setdefault(name.partition("@")[0], name) for name in known}
    return {name: other for name, other in found.items() if other != name}


def _commit(root: Path, revision: str) -> str:
    if commit := commit_of(root, revision):
        return commit
    found = experiments_named(root, revision)
    if not found:
        require_working(root)
        if not is_in_repository(root):
            raise ConfigError(
                f"--rev {revision}: there is no Git repository here, so no earlier run is known; `git init`, `alexnet "
                "setup` and a commit after each run keep the next ones"
            )
        raise ConfigError(
            f"--rev {revision}: no Git revision or DVC experiment has that name; `dvc exp show` and `git log` list them"
        )
    if len(found) == 1:
        return next(iter(found.values()))
    if own := found.get(commit_of(root, "HEAD") or ""):  # which DVC means by the name, too
        return own
    told = ", ".join(f"{commit[:10]} on {base[:10]}" for base, commit in found.items())
    raise ConfigError(
        f"--rev {revision}: {len(found)} DVC experiments have that name ({told}); name one by its commit, "
        f"such as --rev {next(iter(found.values()))[:10]}"
    )


def _variants(root: Path, revision: str, commit: str) -> dict[str, Any]:
    """Read the variants of a commit's params.yaml, profiles resolved where this code still knows them."""
    text = committed(root, commit, PARAMS_FILE)
    if text is None:
        raise ConfigError(f"--rev {revision}: its commit {commit[:10]} holds no {PARAMS_FILE}; name one that does")
    found = {}
    for name, variant in parse(text, f"{revision}:{PARAMS_FILE}")["variants"].items():
        try:
            found[name] = resolve(variant)
        except ConfigError:
            found[name] = variant
    return found


def _errors_alone(root: Path, revision: str, commit: str, variant: str) -> "tuple[TrainingReport, Evaluation]":
    from alexnet_tf.comparison.compare import Evaluation, TrainingReport
    from alexnet_tf.metrics.top_k import VIEWS

    if not (claimed := claimed_metrics(root, commit)):
        raise AlexNetError(
            f"--rev {revision}: DVC's cache does not have its reports of {variant}, and its commit no {METRICS_FILE}; "
            f"`dvc fetch --all-commits` brings reports from a remote, `git checkout {commit[:10]}` and `dvc repro` "
            "make them again"
        )
    try:
        evaluate = claimed[variant]["evaluate"]
        views = {view: evaluate[view] for view in VIEWS}
        return TrainingReport(claimed[variant]["train"], {}), Evaluation(evaluate["num_examples"], None, views, {}, {})
    except (KeyError, TypeError) as error:
        raise DataError(
            f"--rev {revision}: expected the errors of {variant} in the {METRICS_FILE} of its commit {commit[:10]}, "
            f"found none ({type(error).__name__}: {error}); `git checkout` it and `dvc repro` write them"
        ) from error


def _what_is_gone(workspace: Workspace, revision: str, commit: str, variants: list[str]) -> str:
    here = read_lock(workspace.root).hashes.get(DATASET)
    there = claimed_lock(workspace.root, commit).hashes.get(DATASET)
    data = "" if here == there else "; its data set has a different hash, so its images may differ"
    return (
        f"{revision}: DVC's cache does not have its reports of {', '.join(variants)}, so the errors are those of its "
        f"{METRICS_FILE}, without the paired test{data}"
    )
