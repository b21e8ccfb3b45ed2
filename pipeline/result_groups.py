"""Kept results that differ in nothing but their seed, put together."""

import json
from collections.abc import Sequence
from itertools import pairwise

from alexnet_tf.errors import DataError
from pipeline.results import Result


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
