"""A part of any source: some classes, so many images of each."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from alexnet_tf.errors import ConfigError, some
from components.sources.source import RawImage, Source


def subset(source: Source, *, classes: int | Sequence[str] | None, images_per_class: int | None) -> Source:
    """Return a part of a source; labels are counted anew.

    Args:
        source: The whole.
        classes: The names of those to keep, or how many of the first; None keeps all.
        images_per_class: How many of each class a split keeps, the first in the order of their hashed keys, so
            that a larger part holds the smaller one; None keeps all.

    Raises:
        ConfigError: When there is no such class, or fewer than two are kept.
    """
    kept = _kept_classes(source.class_names, classes)
    new_label = np.full(len(source.class_names), -1)
    new_label[kept] = np.arange(len(kept))
    rows = {split: _rows(new_label[labels], images_per_class) for split, labels in source.labels.items()}

    def read(split: str, positions: np.ndarray) -> Iterator[RawImage]:
        for raw in source.read(split, rows[split][positions]):
            yield replace(raw, label=int(new_label[raw.label]))

    names = tuple(source.class_names[label] for label in kept)
    labels = {split: new_label[source.labels[split][chosen]] for split, chosen in rows.items()}
    kept_splits = {split: found for split, found in labels.items() if len(found)}
    return Source(names, kept_splits, read, source.ignored, source.notes)


def _kept_classes(names: Sequence[str], classes: int | Sequence[str] | None) -> list[int]:
    if classes is None:
        return list(range(len(names)))
    if isinstance(classes, int):
        if not 2 <= classes <= len(names):
            raise ConfigError(f"download.subset.classes: expected 2 to {len(names)}, got {classes}")
        return list(range(classes))
    unknown = sorted(set(classes) - set(names))
    if unknown or len(set(classes)) < 2:
        found = f"no class {unknown[0]!r}" if unknown else f"{len(set(classes))} class"
        raise ConfigError(f"download.subset.classes: expected two or more of {some(names, 10)}; got {found}")
    return [label for label, name in enumerate(names) if name in set(classes)]


def _rows(labels: np.ndarray, images_per_class: int | None) -> np.ndarray:
    """Return the positions to keep, (M,) int64, ascending; a label below 0 is not kept."""
    kept = np.flatnonzero(labels >= 0)
    if images_per_class is None:
        return kept
    by_class = kept[np.argsort(labels[kept], kind="stable")]
    starts = np.searchsorted(labels[by_class], labels[by_class])
    return np.sort(by_class[np.arange(len(by_class)) - starts < images_per_class])
