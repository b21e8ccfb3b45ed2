"""Renders the tables of README.md and of pages of docs/ from results/: `make docs`.

A page marks the place of a table with `<!-- results: KIND EXPERIMENT -->` and `<!-- end -->`; `_KINDS` lists the kinds.
"""

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from alexnet_tf.comparison.page import sentences, table
from alexnet_tf.errors import DataError
from alexnet_tf.text_tables import markdown_table
from alexnet_tf.wording import error_with_interval
from pipeline.config.experiments import names
from pipeline.environment.provenance import words_of
from pipeline.environment.yaml_file import read
from pipeline.pages import blocks
from pipeline.results import ablations, pretrained
from pipeline.results.ensembles import averages_table
from pipeline.results.figure1 import epochs_table
from pipeline.results.groups import (
    GROUP_COLUMNS,
    differences,
    differences_by_quarter,
    group_cells,
    grouped,
    metric_of_all,
)
from pipeline.results.kept import COMPARISON, FOLDER, PATTERN, Result, load, read_result
from pipeline.results.seeds_and_images import shown_error
from pipeline.results.targets import summary_table, targets_table

PAGES = ("README.md", "docs/results.md", "docs/small_networks.md", "docs/ablations.md")
_CERTIFICATES = "verified"
_ERRORS = {
    "test, ten crops": "test/ten_crop/top1_error",
    "test, centre": "test/center/top1_error",
    "test top-5, ten crops": "test/ten_crop/top5_error",
    "training (augmented), last epoch": "train/last/train_top1_error",
    "validation, centre, last epoch": "train/last/validation_top1_error",
}
_FIGURES = {
    "colour in conv1, tower 1": "test/conv1/colour_share_tower1",
    "colour in conv1, tower 2": "test/conv1/colour_share_tower2",
    "same class, by the last hidden layer": "test/neighbours/same_class_last_hidden",
    "same class, by pixels": "test/neighbours/same_class_pixels",
}
_COSTS: dict[str, tuple[str, Callable[[float], str]]] = {
    "seconds per epoch": ("cost/seconds_per_epoch", "{:.0f}".format),
    "training, minutes": ("cost/train_seconds", lambda value: f"{value / 60:.1f}"),
    "training, CPU-minutes": ("cost/cpu_seconds", lambda value: f"{value / 60:.1f}"),
    "images per second": ("cost/images_per_second", "{:.0f}".format),
    "peak memory, MiB": ("cost/peak_memory_bytes", lambda value: f"{value / 2**20:.0f}"),
    "time spent on checkpoints": ("cost/checkpoint_share", lambda value: f"{100 * value:.2f} %"),
}


def rendered(root: Path, text: str) -> str:
    """Return a page with every table made anew from results/.

    Args:
        root: The repository.
        text: The page.

    Raises:
        DataError: A table asks for results that are not kept, or for a kind that there is not, or has no end.
    """
    return blocks.rendered(text, "results", lambda words: _content(root, words))


def _content(root: Path, words: str) -> str:
    kind, _, experiment = words.partition(" ")
    if kind not in _KINDS or not experiment:
        raise DataError(
            f"<!-- results: {words} -->: expected KIND EXPERIMENT, KIND one of {', '.join(_KINDS)}, found {words}"
        )
    return _KINDS[kind](root, experiment)


def _comparison(root: Path, experiment: str) -> str:
    folder = root / FOLDER / experiment
    try:
        content = json.loads((folder / COMPARISON).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{FOLDER}/{experiment}/{COMPARISON} is missing or broken ({error}); run `dvc repro compare`, "
            "then `alexnet track keep`"
        ) from error
    comparison = content["comparison"]
    lines = [table(comparison, content["costs"]), "", *sentences(comparison), _machines(comparison, load(folder))]
    return "\n".join(["```text", *lines, "```"])


def _from_baseline(shown: Callable[[Sequence[Sequence[Result]], str], str]) -> Callable[[Path, str], str]:
    """Show an experiment's results beside those of the variant that it compares with."""

    def content(root: Path, experiment: str) -> str:
        baseline = read(root / "experiments" / f"{experiment}.yaml")["compare"]["baseline"]
        return shown(grouped(load(root / FOLDER / experiment)), baseline)

    return content


def _of_groups(shown: Callable[[Sequence[Sequence[Result]]], str]) -> Callable[[Path, str], str]:
    """Show an experiment's results, those of the same parameters together, or that there is none yet."""

    def content(root: Path, experiment: str) -> str:
        folder = root / FOLDER / experiment
        if experiment in names(root) and not any(folder.rglob(PATTERN)):
            return "None of these runs is kept yet."
        return shown(grouped(load(folder)))

    return content


def _commands(groups: Sequence[Sequence[Result]]) -> str:
    return "\n".join(["```bash", *(each.command for group in groups for each in group), "```"])


def _machines(comparison: Mapping[str, Any], results: Sequence[Result]) -> str:
    """Say where the runs of a comparison were measured, which the kept results of the same loss know."""
    found = {
        name: each.machine
        for name in comparison["variants"]
        for each in results
        if each.variant == name
        and each.metrics.get("test/ten_crop/mean_loss") == comparison["errors"][name]["ten_crop"]["mean_loss"]
    }
    if missing := set(comparison["variants"]) - found.keys():
        raise DataError(
            f"{COMPARISON} is of runs of {', '.join(sorted(missing))} that are not kept; "
            "`alexnet track keep` keeps both"
        )
    if len(set(found.values())) == 1:
        return f"Measured on {next(iter(found.values()))}."
    return f"Measured: {'; '.join(f'{name} on {machine}' for name, machine in found.items())}."


def runs_table(groups: Sequence[Sequence[Result]]) -> str:
    """Lay the groups out in two tables, errors and costs, one line each.

    Of one seed the number and its interval; of several, mean and deviation for errors and the median for costs.
    """
    errors, costs = [[*GROUP_COLUMNS, *_ERRORS]], [[*GROUP_COLUMNS, *_COSTS, "processor"]]
    for group in groups:
        run = group_cells(group, groups)
        errors.append([*run, *(_error(group, name) for name in _ERRORS.values())])
        measured = [_cost(group, name, shown) for name, shown in _COSTS.values()]
        costs.append([*run, *measured, "; ".join(sorted({each.processor for each in group}))])
    return f"{markdown_table(errors)}\n\n{markdown_table(costs)}"


def figures_table(groups: Sequence[Sequence[Result]]) -> str:
    """Lay out what figures 3 and 4 are said to show, one line a group; older results do not say."""
    lines = [[*GROUP_COLUMNS, *_FIGURES, "towers as far apart by chance, p"]]
    for group in groups:
        known = [each for each in group if "test/conv1/colour_share_tower1" in each.metrics]
        if known:
            shares = [_share(known, name) for name in _FIGURES.values()]
            chances = [each.metrics.get("test/conv1/towers_apart_p_value") for each in known]
            told = any(each is not None for each in chances)
            shares.append(", ".join("–" if each is None else f"{each:.4f}" for each in chances) if told else "")
            lines.append([*group_cells(known, groups), *shares])
    return markdown_table(lines)


def _share(group: Sequence[Result], name: str) -> str:
    values = metric_of_all(group, name)
    return shown_error(values, digits=1) if values else ""


def _error(group: Sequence[Result], name: str) -> str:
    values = metric_of_all(group, name)
    if len(values) == 1:
        return error_with_interval(group[0].metrics, name, digits=2)
    return shown_error(values) if values else ""


def _cost(group: Sequence[Result], name: str, shown: Callable[[float], str]) -> str:
    values = metric_of_all(group, name)
    return shown(statistics.median(values)) if values else ""


def verified_table(root: Path, experiment: str) -> str:
    """Lay out the certificates of an experiment's results, one line each.

    Raises:
        DataError: A file is none, or is of a result that is not kept, or of another commit than that.
    """
    folder = f"{FOLDER}/{experiment}/{_CERTIFICATES}"
    if not (paths := sorted((root / folder).glob("*.json"))):
        return f"None is kept yet; `alexnet verify RESULT --json > {folder}/STATE.json` makes one."
    lines = [["result", "identical outputs", "verdict", "rerun on"]]
    certificates = {path: _certificate(path) for path in paths}
    for path, certificate in sorted(certificates.items(), key=lambda each: each[1]["claim"]):
        claim = certificate["claim"]
        if not (root / claim).is_file():
            raise DataError(f"{path} is a certificate of {claim}, which is not kept; remove the certificate")
        commit = read_result(root / claim).commit
        if certificate["commit"] != commit:
            raise DataError(
                f"{path}: expected a certificate of {claim}, which is of commit {commit[:12]}, found one of "
                f"{certificate['commit'][:12]}; verify it again"
            )
        same = sum(each["claimed"] == each["reproduced"] for each in certificate["outputs"])
        machine = certificate["machine"]
        place = f"{words_of(machine)}, TensorFlow {machine['version.tensorflow']}"
        lines.append([f"`{claim}`", f"{same} of {len(certificate['outputs'])}", certificate["verdict"], place])
    return markdown_table(lines)


def _certificate(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        _ = content["claim"], content["commit"], content["outputs"], content["machine"], content["verdict"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: expected what `alexnet verify RESULT --json` prints, found another file "
            f"({type(error).__name__}); remove it"
        ) from error
    return content


_KINDS: dict[str, Callable[[Path, str], str]] = {
    "comparison": _comparison,  # what `alexnet report` prints
    "runs": _of_groups(runs_table),  # one line for each set of parameters, all its seeds together
    "commands": _of_groups(_commands),  # what starts each of them again
    "targets": targets_table,  # the targets of results/targets.yaml and the results
    "summary": summary_table,  # the result of each variant, one short line each
    "figures34": _of_groups(figures_table),  # figures 3 and 4 as numbers
    "pretrained": pretrained.sentence,  # the cost of compressing the model in results/pretrained
    "figure1": _of_groups(epochs_table),  # epochs to 25 % training error, ReLU against tanh
    "differences": _from_baseline(differences),  # errors less those of the baseline, seed by seed
    "differences_by_quarter": _from_baseline(differences_by_quarter),  # how they move in the course of the training
    "verified": verified_table,  # results that were rerun, and whether the bytes are the same
    "averages": averages_table,  # errors of several networks' mean prediction
    "ablations": lambda root, _: ablations.ablations_table(root),  # docs/ablations.yaml against the paper's claims
    "ablations_by_quarter": lambda root, _: ablations.course_of_ablations(root),  # how its training errors move
}
"""Kind of a block -> what makes its content from the repository and the block's experiment."""
