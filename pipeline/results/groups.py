"""Kept results that differ in nothing but their seed, put together."""

import json
from collections.abc import Callable, Sequence
from itertools import pairwise

from alexnet_tf.errors import DataError
from pipeline.results.kept import Result


def grouped(results: Sequence[Result]) -> list[list[Result]]:
    """Put results together that differ in nothing but their seed, by variant, changes and precision, each by seed.

    Raises:
        DataError: The same parameters are there twice with the same seed.
    """
    groups: dict[str, list[Result]] = {}
    for result in results:
        params = {name: word for name, word in result.row["params"].items() if name != "seed"}
        identity = f"{result.variant} {shown_changes(result)} {result.precision} {sorted(params.items())}"
        groups.setdefault(identity, []).append(result)
    for group in groups.values():
        group.sort(key=lambda each: each.seed)
        for one, other in pairwise(group):
            if one.seed == other.seed:
                raise DataError(f"{one.path} and {other.path} are of the same parameters and seed; take one out")
    return [group for _, group in sorted(groups.items())]


def shown_changes(result: Result) -> str:
    """Write what a result's parameters have other than its experiment's, the seed aside, "" for nothing."""
    own = f"variants.{result.variant}."
    named = {key.removeprefix(own): value for key, value in result.changes.items() if key != "seed"}
    return ", ".join(f"`{key}={json.dumps(value)}`" for key, value in named.items())


def shown_difference(group: Sequence[Result], groups: Sequence[Sequence[Result]]) -> str:
    """Write what a group's parameters have other than its experiment's file, seed and precision aside, "" for nothing.

    The file changes from commit to commit: the latest run without changes of its own speaks for it, as far as both know
    a parameter. Where there is no such run, the group's own changes are told.
    """
    runs = [each for other in groups for each in other if each.variant == group[0].variant and not shown_changes(each)]
    if not runs:
        return shown_changes(group[0])
    file, own = max(runs, key=lambda each: each.time).row["params"], group[0].row["params"]
    names = sorted((own.keys() & file.keys()) - {"seed", "training.precision"})  # which stand beside it
    return ", ".join(f"`{name}={own[name]}`" for name in names if own[name] != file[name])


def as_in_the_file(groups: Sequence[Sequence[Result]], wanted: Callable[[Result], bool]) -> Sequence[Result]:
    """Return the wanted results whose parameters are those of their experiment's file, by seed; none where none is.

    Raises:
        DataError: They are of two versions of that file, or of two precisions.
    """
    found = [group for group in groups if wanted(group[0]) and not shown_changes(group[0])]
    if len(found) > 1:
        raise DataError(
            f"{found[0][0].path} and {found[1][0].path} are of the same experiment with other parameters or another "
            "precision, so they do not belong together; take the older ones out"
        )
    return found[0] if found else []
