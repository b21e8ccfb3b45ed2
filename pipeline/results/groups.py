"""Kept results that differ in nothing but their seed, put together, and their differences from the baseline."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from alexnet_tf.errors import DataError
from alexnet_tf.text_tables import markdown_table
from alexnet_tf.wording import points
from pipeline.results.course import Pair, course_table
from pipeline.results.kept import HELD_OUT_ERROR, TRAINING_ERROR, Result
from pipeline.results.seeds_and_images import over_seeds


def grouped(results: Sequence[Result]) -> list[list[Result]]:
    """Put results together that differ in nothing but their seed, by variant, changes and precision, each by seed.

    Of a seed that was run on several kinds of processor, the latest run counts. The earlier ones come after it, in a
    group for each processor.

    Raises:
        DataError: The same parameters are there twice with the same seed, on one kind of processor.
    """
    groups: dict[str, list[Result]] = {}
    for result in sorted(results, key=lambda each: each.time):
        groups.setdefault(_identity(result), []).append(result)
    return [part for _, group in sorted(groups.items()) for part in _parted(group)]


def _identity(result: Result) -> str:
    # The precision is that of the training, whether `auto` chose it or a change.
    params = {name: word for name, word in result.params.items() if name not in ("seed", "training.precision")}
    changes = {name: value for name, value in _changes(result).items() if name != "training.precision"}
    return f"{result.variant} {_shown(changes)} {result.precision} {sorted(params.items())}"


def _parted(group: Sequence[Result]) -> list[list[Result]]:
    latest: dict[int, Result] = {}
    places: dict[tuple[int, str], Result] = {}
    for each in group:  # from the first to the last
        same = places.setdefault((each.seed, each.processor), each)
        if same is not each:
            raise DataError(
                f"{same.path} and {each.path} have the same parameters, seed and processor; remove one of them"
            )
        latest[each.seed] = each
    earlier: dict[str, list[Result]] = {}
    for each in reversed(group):
        if each is not latest[each.seed]:
            earlier.setdefault(each.processor, []).append(each)
    return [sorted(part, key=lambda each: each.seed) for part in (latest.values(), *earlier.values())]


def _changes(result: Result) -> dict[str, Any]:
    """Return what a result's parameters have other than its experiment's, the seed aside."""
    own = f"variants.{result.variant}."
    return {key.removeprefix(own): value for key, value in result.changes.items() if key != "seed"}


def _shown_changes(result: Result) -> str:
    return _shown(_changes(result))


def _shown(changes: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}={json.dumps(value)}`" for name, value in changes.items())


def shown_difference(group: Sequence[Result], groups: Sequence[Sequence[Result]]) -> str:
    """Write what a group's parameters have other than its experiment's file, seed and precision aside, "" for nothing.

    The file changes from commit to commit: the latest run without changes of its own speaks for it, as far as both know
    a parameter. Where there is no such run, the group's own changes are told.
    """
    runs = [each for other in groups for each in other if each.variant == group[0].variant and not _shown_changes(each)]
    if not runs:
        return _shown_changes(group[0])
    latest = max(runs, key=lambda each: each.time)
    file, own = latest.params, group[0].params
    names = sorted((own.keys() & file.keys()) - {"seed", "training.precision"})  # which have columns of their own
    return ", ".join(f"`{name}={own[name]}`" for name in names if own[name] != file[name])


GROUP_COLUMNS = ("variant", "changed", "seeds", "precision")


def group_cells(group: Sequence[Result], groups: Sequence[Sequence[Result]]) -> list[str]:
    """Write what a group is, for `GROUP_COLUMNS`."""
    seeds = ", ".join(str(each.seed) for each in group)
    return [f"`{group[0].variant}`", shown_difference(group, groups), seeds, group[0].precision]


def metric_of_all(group: Sequence[Result], name: str) -> list[float]:
    """Return a metric of each result, nothing if one lacks it: a mean of some would stand beside the seeds of all."""
    values = [each.metrics[name] for each in group if name in each.metrics]
    return values if len(values) == len(group) else []


def as_in_the_file(groups: Sequence[Sequence[Result]], wanted: Callable[[Result], bool]) -> Sequence[Result]:
    """Return the wanted results whose parameters are those of their experiment's file, by seed; none where none is.

    Of a seed on several processors it is the latest, as in `grouped`.

    Raises:
        DataError: They are of two versions of that file, or of two precisions.
    """
    found = [group for group in groups if wanted(group[0]) and not _shown_changes(group[0])]
    kinds = {_identity(group[0]): group[0].path for group in found}
    if len(kinds) > 1:
        raise DataError(
            f"{' and '.join(sorted(kinds.values()))} are of the same experiment but differ in parameters or "
            "precision, so they cannot be grouped; remove the older ones"
        )
    return found[0] if found else []


_ERRORS = {
    "ten crops": "test/ten_crop/top1_error",
    "centre crop": "test/center/top1_error",
    "training images (augmented), last epoch": "train/last/train_top1_error",
}
_CURVES = {"training images (augmented)": TRAINING_ERROR, "held-out images, centre crop": HELD_OUT_ERROR}
_COMPARED = ("variant", "baseline", "top-1 error of", "seeds")


def differences(groups: Sequence[Sequence[Result]], baseline: str) -> str:
    """Lay out each variant's errors less those of the baseline with the same seed, in points; below 0 it errs less.

    Intervals of the mean are Student's over seeds.

    Args:
        groups: An experiment's results, as `grouped` has them; those with changes are left out.
        baseline: The variant to compare with.

    Raises:
        DataError: A variant and the baseline have no seed in common, or results of one do not belong together.
    """
    header = [*_COMPARED, "difference by seed, points", "mean (95 % interval)"]
    lines = [header]
    for variant, pairs in _pairs(groups, baseline):
        for words, metric in _ERRORS.items():
            found = over_seeds(np.array([own.metrics[metric] - base.metrics[metric] for own, base in pairs]))
            each = ", ".join(points(each, digits=2) for each in found.by_seed)
            lines.append([*_compared(variant, baseline, words, pairs), each, found.points])
    return markdown_table(lines)


def differences_by_quarter(groups: Sequence[Sequence[Result]], baseline: str) -> str:
    """Lay out how the same differences move in the course of the training, on training and on held-out images.

    Args:
        groups: As for `differences`.
        baseline: As for `differences`.

    Raises:
        DataError: As for `differences`, or two trainings have different lengths.
    """
    rows = [
        (_compared(variant, baseline, words, pairs), error, pairs)
        for variant, pairs in _pairs(groups, baseline)
        for words, error in _CURVES.items()
    ]
    return course_table(_COMPARED, rows)


def _pairs(groups: Sequence[Sequence[Result]], baseline: str) -> list[tuple[str, list[Pair]]]:
    found = []
    for variant in sorted({group[0].variant for group in groups} - {baseline}):
        own, base = (_by_seed(groups, name) for name in (variant, baseline))
        if not (seeds := sorted(own.keys() & base.keys())):
            raise DataError(
                f"no result of {variant} shares a seed with one of {baseline} with the parameters of the experiment's "
                "file, so there is no difference; run both with the same seed"
            )
        found.append((variant, [(own[seed], base[seed]) for seed in seeds]))
    return found


def _compared(variant: str, baseline: str, words: str, pairs: Sequence[Pair]) -> list[str]:
    return [f"`{variant}`", f"`{baseline}`", words, ", ".join(str(own.seed) for own, _ in pairs)]


def _by_seed(groups: Sequence[Sequence[Result]], variant: str) -> dict[int, Result]:
    return {each.seed: each for each in as_in_the_file(groups, lambda result: result.variant == variant)}
