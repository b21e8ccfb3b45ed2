"""What is wrong, or only odd, with single images, classes and keys of a set that a network is to learn from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from alexnet_tf.errors import some
from alexnet_tf.validation.survey import Survey

IMAGES_KEPT = 200
"""Of each anomaly, for the page."""
Place = tuple[str, int]
"""Split and row of an image in its survey."""


@dataclass(frozen=True)
class Limits:
    """What is still accepted.

    Attributes:
        max_corrupt_share: Largest share of a split that cannot be decoded; fewer are only a WARNING.
        max_class_imbalance: Largest class of the training split over the smallest; more is a WARNING.
        allow_split_leakage: Whether the same bytes in two splits are only a WARNING.
        near_copy_bits: Images whose perceptual hashes differ in at most so many of 64 bits are near copies;
            None looks for none.
        allow_near_leakage: Whether near copies in two splits are only a WARNING.
        min_side_px: A smaller shorter side is an ERROR.
        max_aspect: Longer side over shorter side; more is a WARNING.
    """

    max_corrupt_share: float
    max_class_imbalance: float
    allow_split_leakage: bool
    near_copy_bits: int | None
    allow_near_leakage: bool
    min_side_px: int
    max_aspect: float


@dataclass(frozen=True)
class Anomaly:
    """One finding.

    Attributes:
        name: In snake case, one a kind of finding.
        split: Where; empty when it concerns several.
        severity: ERROR stops the pipeline.
        description: One sentence with what was expected and found.
        feature: What it is about: image, label, key or size.
        images: Which images, where it is about some, a few hundred at most.
        way_out: What lets an ERROR pass when the set is right as it is, a clause such as "set … to true"; empty where
            only another set does.
    """

    name: str
    split: str
    severity: Literal["WARNING", "ERROR"]
    description: str
    feature: str
    images: tuple[Place, ...] = ()
    way_out: str = ""


def find_anomalies(surveys: Mapping[str, Survey], *, class_names: Sequence[str], limits: Limits) -> list[Anomaly]:
    """Return what is wrong with single images, classes and keys; `copies.find_copies` looks at copies.

    Args:
        surveys: By split; the training split is called train.
        class_names: One a label.
        limits: What is still accepted.
    """
    found: list[Anomaly] = []
    for split, survey in surveys.items():
        found += _unreadable(split, survey, limits)
        found += _odd_sizes(split, survey, limits)
        found += _empty_classes(split, survey, class_names)
    found += _imbalance(surveys["train"], limits)
    return found + _repeated_keys(surveys)


def worst_first(anomalies: Sequence[Anomaly]) -> list[Anomaly]:
    """Return anomalies in the order in which they are reported."""
    return sorted(anomalies, key=lambda anomaly: (anomaly.severity, anomaly.name, anomaly.split))


def _unreadable(split: str, survey: Survey, limits: Limits) -> list[Anomaly]:
    rows = np.flatnonzero(~survey.decodable).tolist()
    bad = [f"{survey.keys[row]} ({survey.reasons[row]})" for row in rows]
    if not bad:
        return []
    share = len(bad) / len(survey.keys)
    severity = "ERROR" if share > limits.max_corrupt_share else "WARNING"
    text = f"{split}: {len(bad):,} of {len(survey.keys):,} images cannot be decoded; the accepted share is "
    text += f"{limits.max_corrupt_share}: {some(bad)}."
    way_out = "raise validate.max_corrupt_share"
    return [Anomaly("corrupt_images", split, severity, text, "image", first_places(split, rows), way_out)]


def _odd_sizes(split: str, survey: Survey, limits: Limits) -> list[Anomaly]:
    known = np.flatnonzero(survey.decodable)
    short = np.minimum(survey.widths, survey.heights)[known]
    long = np.maximum(survey.widths, survey.heights)[known]

    def named(rows: np.ndarray) -> str:
        return some([f"{survey.keys[r]} ({survey.widths[r]} x {survey.heights[r]})" for r in rows.tolist()])

    found = []
    small, narrow = known[short < limits.min_side_px], known[long > limits.max_aspect * short]
    if len(small):
        text = f"{split}: {len(small):,} images have a side under {limits.min_side_px} pixels: {named(small)}."
        places, way_out = first_places(split, small.tolist()), "lower validate.min_side_px"
        found.append(Anomaly("small_images", split, "ERROR", text, "size", places, way_out))
    if len(narrow):
        text = f"{split}: {len(narrow):,} images are longer than {limits.max_aspect} times their shorter side: "
        text += f"{named(narrow)}."
        found.append(Anomaly("narrow_images", split, "WARNING", text, "size", first_places(split, narrow.tolist())))
    return found


def first_places(split: str, rows: Sequence[int]) -> tuple[Place, ...]:
    """Return the first rows of a split as the places of an anomaly's images."""
    return tuple((split, row) for row in rows[:IMAGES_KEPT])


def _empty_classes(split: str, survey: Survey, class_names: Sequence[str]) -> list[Anomaly]:
    counts = np.bincount(survey.labels[survey.decodable], minlength=len(class_names))
    empty = [name for name, count in zip(class_names, counts, strict=False) if not count]
    if not empty:
        return []
    text = f"{split}: {len(empty):,} of {len(class_names):,} classes have no image that can be decoded: {some(empty)}."
    way_out = "name the other classes in download.subset.classes"
    severity = "ERROR" if split == "train" else "WARNING"
    return [Anomaly("empty_classes", split, severity, text, "label", way_out=way_out)]


def _imbalance(survey: Survey, limits: Limits) -> list[Anomaly]:
    counts = np.bincount(survey.labels[survey.decodable])
    counts = counts[counts > 0]
    if not len(counts) or counts.max() <= limits.max_class_imbalance * counts.min():
        return []
    text = f"train: the largest class has {counts.max()} images and the smallest {counts.min()}, more than "
    text += f"{limits.max_class_imbalance} times as many."
    return [Anomaly("class_imbalance", "train", "WARNING", text, "label")]


def _repeated_keys(surveys: Mapping[str, Survey]) -> list[Anomaly]:
    keys = np.concatenate([survey.keys for survey in surveys.values()])
    keys.sort()  # in place: a copy of a million keys is large
    repeated = np.unique(keys[1:][keys[1:] == keys[:-1]]).tolist()
    if not repeated:
        return []
    text = f"{len(repeated):,} keys name more than one image: {some(repeated)}."
    return [Anomaly("repeated_keys", "", "ERROR", text, "key")]
