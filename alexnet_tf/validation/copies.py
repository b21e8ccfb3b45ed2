"""Images that a set has more than once: by the same bytes, or alike to the eye."""

from collections.abc import Mapping, Sequence

import numpy as np

from alexnet_tf.errors import some
from alexnet_tf.validation.anomalies import IMAGES_KEPT, Anomaly, Limits, Place
from alexnet_tf.validation.near_duplicates import near_pairs
from alexnet_tf.validation.survey import Survey


def find_copies(surveys: Mapping[str, Survey], copies: Sequence[Sequence[Place]], *, limits: Limits) -> list[Anomaly]:
    """Return what is wrong with images that occur more than once.

    Args:
        surveys: By split.
        copies: Their `exact_copies`.
        limits: What is still accepted.
    """
    found = _exact(surveys, copies, limits)
    if limits.near_copy_bits is not None:
        found += _near(surveys, near_copies(surveys, limits.near_copy_bits), limits)
    return found


def exact_copies(surveys: Mapping[str, Survey]) -> list[list[Place]]:
    """Return the groups of decodable images with equal bytes, in order of first sight.

    What cannot be decoded is no copy of anything: two empty files have nothing in common.
    """
    names = list(surveys)
    rows = [np.flatnonzero(survey.decodable) for survey in surveys.values()]
    firsts = np.cumsum([0, *map(len, rows)])
    if not firsts[-1]:
        return []
    digests = np.concatenate(
        [survey.digests[of_split] for survey, of_split in zip(surveys.values(), rows, strict=True)]
    )
    order = np.argsort(digests, kind="stable")
    digests = digests[order]
    starts = np.flatnonzero(np.concatenate([[True], digests[1:] != digests[:-1]]))
    sizes = np.diff(starts, append=len(order))

    def place(number: int) -> Place:
        split = int(np.searchsorted(firsts, number, side="right")) - 1
        return names[split], int(rows[split][number - firsts[split]])

    # Only what comes more than once becomes a list: of a million images that is little.
    many = sizes > 1
    groups = [order[start : start + size].tolist() for start, size in zip(starts[many], sizes[many], strict=True)]
    return [[place(number) for number in group] for group in sorted(groups)]


def near_copies(surveys: Mapping[str, Survey], bits: int) -> list[tuple[Place, Place]]:
    """Return pairs of images that look alike although their bytes differ, those of two splits where there are such.

    Of many that look alike each is in a pair, but not every pair of them is listed.

    Args:
        surveys: By split.
        bits: In how many of 64 bits the perceptual hashes may differ.
    """
    names = list(surveys)
    splits = np.concatenate([np.full(len(survey.keys), number) for number, survey in enumerate(surveys.values())])
    rows = np.concatenate([np.arange(len(survey.keys)) for survey in surveys.values()])
    kept = np.concatenate([survey.decodable for survey in surveys.values()])
    hashes = np.concatenate([survey.hashes for survey in surveys.values()])
    digests = np.concatenate([survey.digests for survey in surveys.values()])
    splits, rows, hashes, digests = splits[kept], rows[kept], hashes[kept], digests[kept]
    values, counts = np.unique(hashes, return_counts=True)
    order = np.argsort(hashes, kind="stable")  # splits come in their order within each hash
    ends = np.cumsum(counts)

    def members(number: int) -> np.ndarray:
        return order[ends[number] - counts[number] : ends[number]]

    def pair(first: int, second: int) -> tuple[Place, Place]:
        return (names[splits[first]], int(rows[first])), (names[splits[second]], int(rows[second]))

    found = []
    for number in np.flatnonzero(counts > 1).tolist():
        first, *others = members(number)
        differing = [other for other in others if digests[other] != digests[first]]
        found += [pair(first, other) for other in differing]
        if differing:
            # Copies of the first by their bytes look like the others, too, perhaps in another split.
            of_each_split = sorted({splits[other]: other for other in reversed(differing)}.values())
            for copy in (other for other in others if digests[other] == digests[first]):
                apart = (other for other in of_each_split if splits[other] != splits[copy])
                found.append(pair(*sorted((copy, next(apart, of_each_split[0])))))
    for one, two in near_pairs(values, bits).tolist():
        first, second = members(one), members(two)
        # The last of the one and the first of the other differ in split where any two of them do, or the reverse.
        if splits[first[-1]] != splits[second[0]]:
            found.append(pair(first[-1], second[0]))
        else:
            found.append(pair(first[0], second[-1]))
    return found


def _exact(surveys: Mapping[str, Survey], copies: Sequence[Sequence[Place]], limits: Limits) -> list[Anomaly]:
    within: dict[str, list[Sequence[Place]]] = {split: [] for split in surveys}
    across, contradictory = [], []
    for group in copies:
        splits = [split for split, _ in group]
        if len(set(splits)) > 1:
            across.append(group)
        for split in set(splits):
            if splits.count(split) > 1:
                within[split].append(group)
        if len({int(surveys[split].labels[row]) for split, row in group}) > 1:
            contradictory.append(group)
    found = []
    for split, groups in within.items():
        found += _anomalies(surveys, "copies", groups, "images occur more than once", split=split)
    told = "images occur in more than one split with the same bytes"
    found += _anomalies(
        surveys, "split_leakage", across, told, allowed=limits.allow_split_leakage, switch="allow_split_leakage"
    )
    told = "images have more than one label"
    return found + _anomalies(surveys, "contradictory_labels", contradictory, told, feature="label")


def _near(surveys: Mapping[str, Survey], pairs: Sequence[tuple[Place, Place]], limits: Limits) -> list[Anomaly]:
    across = [pair for pair in pairs if pair[0][0] != pair[1][0]]
    found = []
    for split in surveys:
        within = [pair for pair in pairs if pair[0][0] == pair[1][0] == split]
        found += _anomalies(surveys, "near_copies", within, "pairs of images look alike", split=split)
    told = "pairs of images in two splits look alike"
    return found + _anomalies(
        surveys, "near_leakage", across, told, allowed=limits.allow_near_leakage, switch="allow_near_leakage"
    )


def _anomalies(
    surveys: Mapping[str, Survey],
    name: str,
    groups: Sequence[Sequence[Place]],
    told: str,
    *,
    split: str = "",
    feature: str = "image",
    allowed: bool = True,
    switch: str = "",
) -> list[Anomaly]:
    """Make groups of images one anomaly, if there are any; one that `switch` does not allow is an ERROR."""
    if not groups:
        return []
    named = some([" = ".join(surveys[split].keys[row] for split, row in group) for group in groups])
    text = f"{split}: " * bool(split) + f"{len(groups):,} {told}: {named}."
    places = tuple(place for group in groups for place in group)[:IMAGES_KEPT]
    way_out = f"set validate.{switch} to true" if switch else ""
    return [Anomaly(name, split, "WARNING" if allowed else "ERROR", text, feature, places, way_out)]
