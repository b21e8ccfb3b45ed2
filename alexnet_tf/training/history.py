"""What a training says of each epoch: a row of `history.csv`."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Epoch:
    """A row of the history. Errors are fractions, losses nats, and the learning rate is that of the last step.

    Loss and error of the training split are means over the epoch's batches, each as the network saw it, augmented, and
    before the update that it led to; those of the validation split are of the weights at the end of the epoch. With
    label smoothing the training loss is that of the smoothed labels, which the validation loss is not.
    """

    epoch: int
    step: int
    learning_rate: float
    train_loss: float
    train_top1_error: float
    validation_loss: float
    validation_top1_error: float
    validation_top5_error: float | None


def charted(row: Mapping[str, Any]) -> dict[str, float]:
    """Name a row's figures as charts group them: `train/loss`, `validation/top1_error`, `learning_rate`.

    Args:
        row: Figures, or words for them, by column; what is None or empty is left out, as are epoch and step.
    """
    return {
        name if name == "learning_rate" else name.replace("_", "/", 1): float(value)
        for name, value in row.items()
        if value not in (None, "") and name not in ("epoch", "step")
    }


def history_columns() -> list[str]:
    """Return the columns of `history.csv`, in order."""
    return [column.name for column in fields(Epoch)]


def best_epoch(history: Sequence[Epoch]) -> Epoch:
    """Return the row with the lowest validation error, of equal ones the first."""
    return min(history, key=lambda row: (row.validation_top1_error, row.epoch))


def write_history(path: Path, rows: Sequence[Epoch]) -> None:
    """Write `history.csv`: a header, then a row an epoch."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, history_columns(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
