"""What a training says of each epoch: a row of `history.csv`."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Epoch:
    """A row of the history. Errors are fractions, losses nats, and the learning rate is that of the last step."""

    epoch: int
    step: int
    learning_rate: float
    train_loss: float
    train_top1_error: float
    validation_loss: float
    validation_top1_error: float
    validation_top5_error: float | None


def history_columns() -> list[str]:
    """Return the columns of `history.csv`, in order."""
    return [column.name for column in fields(Epoch)]
