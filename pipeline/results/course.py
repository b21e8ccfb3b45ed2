"""How a difference of two networks moves in the course of their training: by quarters of its epochs.

One epoch's difference is mostly noise; the mean of a quarter has less of it, and four numbers still tell a difference
that grows from one that fades.
"""

from collections.abc import Sequence

import numpy as np

from alexnet_tf.errors import DataError
from alexnet_tf.text_tables import markdown_table
from pipeline.results.kept import TRAINING_ERROR, Result
from pipeline.results.seeds_and_images import over_seeds

_QUARTERS = 4

Pair = tuple[Result, Result]
"""A run and the one that it is compared with, of the same seed."""


def quarters(curve: Sequence[float]) -> list[float]:
    """Return the mean of each quarter of a curve; of fewer than four epochs, each epoch.

    Args:
        curve: One value an epoch. Where four does not divide their number, the first quarters are longer by one.
    """
    return [float(part.mean()) for part in _parts(np.array(curve))]


def course_table(known: Sequence[str], rows: Sequence[tuple[Sequence[str], str, Sequence[Pair]]]) -> str:
    """Lay differences of an error out, one line each, a column a quarter; in points, with intervals over seeds.

    Args:
        known: Headings of the columns before the quarters.
        rows: Cells of these columns, the name of the error in the history, and the pairs; one without any is left out.

    Raises:
        DataError: Two trainings have different lengths, so that their quarters are other epochs.
    """
    runs = [run for _, _, pairs in rows for pair in pairs for run in pair]
    if not runs:
        return "None of these runs is kept yet."
    lengths = {len(run.by_epoch(TRAINING_ERROR)): run.path for run in runs}
    if len(lengths) > 1:
        found = ", ".join(f"{epochs} ({path})" for epochs, path in lengths.items())
        raise DataError(
            f"expected trainings of one length, found epochs: {found}; compare runs of one version of the experiment"
        )
    epochs = _parts(np.arange(1, next(iter(lengths)) + 1))
    lines: list[list[str]] = [[*known, *(_named(part[0], part[-1]) for part in epochs)]]
    for cells, error, pairs in rows:
        if pairs:
            curves = np.array([[quarters(run.by_epoch(error)) for run in pair] for pair in pairs])
            lines.append([*cells, *(over_seeds(quarter).points for quarter in (curves[:, 0] - curves[:, 1]).T)])
    return markdown_table(lines)


def _named(first: int, last: int) -> str:
    return f"epochs {first} to {last}" if first < last else f"epoch {first}"


def _parts(values: np.ndarray) -> list[np.ndarray]:
    return np.array_split(values, min(_QUARTERS, len(values)))
