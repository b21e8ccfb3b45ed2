"""What is wrong, or only odd, with a set of images that a network is to learn from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from alexnet_tf.image_survey import Survey, copies

_SHOWN = 3


@dataclass(frozen=True)
class Limits:
    """What is still accepted.

    Attributes:
        max_corrupt_share: Largest share of a split that cannot be decoded; fewer are only a WARNING.
        max_class_imbalance: Largest class of the training split over the smallest; more is a WARNING.
        allow_split_leakage: Whether the same bytes in two splits are only a WARNING.
        min_side_px: A smaller shorter side is an ERROR.
        max_aspect: Longer side over shorter side; more is a WARNING.
    """

    max_corrupt_share: float
    max_class_imbalance: float
    allow_split_leakage: bool
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
    """

    name: str
    split: str
    severity: Literal["WARNING", "ERROR"]
    description: str
    feature: str


def find_anomalies(surveys: Mapping[str, Survey], *, class_names: Sequence[str], limits: Limits) -> list[Anomaly]:
    """Return what is wrong, worst first.

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
    found += _repeated_keys(surveys)
    found += _copies(surveys, limits)
    return sorted(found, key=lambda anomaly: (anomaly.severity, anomaly.name, anomaly.split))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _unreadable(split: str, survey: Survey, limits: Limits) -> list[Anomaly]:
    bad = [f"{key} ({reason})" for key, reason in zip(survey.keys, survey.reasons, strict=True) if reason]
    if not bad:
        return []
    share = len(bad) / len(survey.keys)
    severity = "ERROR" if share > limits.max_corrupt_share else "WARNING"
    text = f"{split}: {len(bad)} of {len(survey.keys)} images cannot be decoded, at most a share of "
    text += f"{limits.max_corrupt_share} is accepted: {_some(bad)}."
    return [Anomaly("corrupt_images", split, severity, text, "image")]


def _odd_sizes(split: str, survey: Survey, limits: Limits) -> list[Anomaly]:
    known = np.flatnonzero(survey.decodable)
    short = np.minimum(survey.widths, survey.heights)[known]
    long = np.maximum(survey.widths, survey.heights)[known]

    def named(rows: np.ndarray) -> str:
        return _some([f"{survey.keys[r]} ({survey.widths[r]} x {survey.heights[r]})" for r in rows.tolist()])

    found = []
    small, narrow = known[short < limits.min_side_px], known[long > limits.max_aspect * short]
    if len(small):
        text = f"{split}: {len(small)} images have a side under {limits.min_side_px} pixels: {named(small)}."
        found.append(Anomaly("small_images", split, "ERROR", text, "size"))
    if len(narrow):
        text = f"{split}: {len(narrow)} images are longer than {limits.max_aspect} times their shorter side: "
        found.append(Anomaly("narrow_images", split, "WARNING", f"{text}{named(narrow)}.", "size"))
    return found


def _empty_classes(split: str, survey: Survey, class_names: Sequence[str]) -> list[Anomaly]:
    counts = np.bincount(survey.labels, minlength=len(class_names))
    empty = [name for name, count in zip(class_names, counts, strict=False) if not count]
    if not empty:
        return []
    text = f"{split}: {len(empty)} of {len(class_names)} classes have no image: {_some(empty)}."
    return [Anomaly("empty_classes", split, "ERROR" if split == "train" else "WARNING", text, "label")]


def _imbalance(survey: Survey, limits: Limits) -> list[Anomaly]:
    counts = np.bincount(survey.labels)
    counts = counts[counts > 0]
    if not len(counts) or counts.max() <= limits.max_class_imbalance * counts.min():
        return []
    text = f"train: the largest class has {counts.max()} images and the smallest {counts.min()}, more than "
    text += f"{limits.max_class_imbalance} times as many."
    return [Anomaly("class_imbalance", "train", "WARNING", text, "label")]


def _repeated_keys(surveys: Mapping[str, Survey]) -> list[Anomaly]:
    keys = sorted(key for survey in surveys.values() for key in survey.keys)
    repeated = [key for key, following in pairwise(keys) if key == following]
    if not repeated:
        return []
    text = f"{len(repeated)} keys name more than one image: {_some(repeated)}."
    return [Anomaly("repeated_keys", "", "ERROR", text, "key")]


def _copies(surveys: Mapping[str, Survey], limits: Limits) -> list[Anomaly]:
    within: dict[str, list[str]] = {split: [] for split in surveys}
    across, contradictory = [], []
    for group in copies(surveys):
        splits = {split for split, _ in group}
        text = " = ".join(surveys[split].keys[row] for split, row in group)
        if len(splits) > 1:
            across.append(text)
        for split in splits:
            if sum(place[0] == split for place in group) > 1:
                within[split].append(text)
        if len({int(surveys[split].labels[row]) for split, row in group}) > 1:
            contradictory.append(text)
    found = [
        Anomaly(
            "copies",
            split,
            "WARNING",
            f"{split}: {len(texts)} images come more than once: {_some(texts)}.",
            "image",
        )
        for split, texts in within.items()
        if texts
    ]
    if across:
        text = f"{len(across)} images come in more than one split, by the same bytes: {_some(across)}."
        severity = "WARNING" if limits.allow_split_leakage else "ERROR"
        found.append(Anomaly("split_leakage", "", severity, text, "image"))
    if contradictory:
        text = f"{len(contradictory)} images come with more than one label: {_some(contradictory)}."
        found.append(Anomaly("contradictory_labels", "", "WARNING", text, "label"))
    return found
