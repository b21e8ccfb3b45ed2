"""What a training needs to go on: its variables, its progress, its cost. One file, whole or not there."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from alexnet_tf.errors import DataError
from alexnet_tf.models.weights import assign_if_fitting, load_meta, parse_arrays, save_arrays
from alexnet_tf.training.history import Epoch
from alexnet_tf.training.schedule import Plateau
from alexnet_tf.whole_file import remove_unfinished


@dataclass(frozen=True)
class Spent:
    """Seconds, by the clock on the wall and of the processors."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0


class Stopwatch:
    """Runs from its making on.

    Attributes:
        earlier: What earlier processes had spent on the steps that this one goes on from.
    """

    def __init__(self) -> None:
        self.earlier = Spent()
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def read(self) -> Spent:
        """Return what was spent up to now, the earlier processes' share included."""
        return Spent(
            self.earlier.wall_seconds + time.monotonic() - self._wall,
            self.earlier.cpu_seconds + time.process_time() - self._cpu,
        )


_NAME = "checkpoint.safetensors"


@dataclass
class State:
    """The progress of a training, without its variables, and what it has cost so far.

    Attributes:
        total_steps: Of the whole training.
        steps_per_epoch: Likewise.
        step: Steps taken.
        plateau: What the plateau rule remembers.
        history: A row for each finished epoch.
        losses: Of the steps of the epoch that is under way, in nats.
        errors: Of the same steps, fractions.
        spent: By all processes on the way here; what was lost with a killed one is not counted.
    """

    total_steps: int
    steps_per_epoch: int
    step: int = 0
    plateau: Plateau = field(default_factory=Plateau)
    history: list[Epoch] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    spent: Spent = field(default_factory=Spent)

    @property
    def epoch_is_over(self) -> bool:
        """Whether all steps of an epoch are taken, and it is not validated yet."""
        return bool(self.losses) and self.step % self.steps_per_epoch == 0

    def __str__(self) -> str:
        epoch = max(1, -(-self.step // self.steps_per_epoch))
        epochs = self.total_steps // self.steps_per_epoch
        return f"step {self.step:,} of {self.total_steps:,}, epoch {epoch} of {epochs}"

    def to_json(self) -> dict[str, Any]:
        """Return the state in JSON's types."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the state that `to_json` was called on."""
        plateau, spent = Plateau(**values["plateau"]), Spent(**values["spent"])
        history = [Epoch(**row) for row in values["history"]]
        return cls(**{**values, "plateau": plateau, "history": history, "spent": spent})


class Checkpoint:
    """The checkpoint of one training, in a folder that is named by what is trained.

    Args:
        folder: Its name is the fingerprint of params, data and code, which the file repeats: a checkpoint that was
            copied here from another training is refused.
        arithmetic: What the training computes in here (`precision.arithmetic`), which the file repeats likewise.
    """

    def __init__(self, folder: Path, arithmetic: str):
        self.path = folder / _NAME
        self.fingerprint = folder.name
        self.arithmetic = arithmetic

    def save(self, state: State, variables: Mapping[str, np.ndarray], best: Mapping[str, np.ndarray]) -> None:
        """Write the file, in place of an earlier one only when it is whole.

        Args:
            state: The training's progress.
            variables: Weights, velocities and averages by name.
            best: Weights of the best epoch by name, where they are kept.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        remove_unfinished(self.path.parent)
        arrays = dict(variables) | {f"best/{name}": value for name, value in best.items()}
        meta = {"fingerprint": self.fingerprint, "arithmetic": self.arithmetic, "state": state.to_json()}
        save_arrays(self.path, arrays, meta)

    def read(self) -> bytes:
        """Return the file's content, or nothing where there is no file yet.

        Raises:
            DataError: When the file is empty.
        """
        if not self.path.exists():
            return b""
        if content := self.path.read_bytes():
            return content
        raise DataError(f"{self.path} is damaged or not a file of this project (it is empty); delete it and run again")

    def restore(self, content: bytes, variables: Mapping[str, Any]) -> tuple[State, dict[str, np.ndarray]]:
        """Give variables the values that `save` was given.

        Args:
            content: Of the file.
            variables: What has a `shape` and can be assigned to, by name.

        Returns:
            The training's progress, and the weights of its best epoch.

        Raises:
            DataError: When the content is damaged, or that of another training; nothing is assigned then.
        """
        arrays, meta = parse_arrays(content, source=str(self.path))
        found = str(meta.get("fingerprint"))
        if found != self.fingerprint:
            raise DataError(
                f"{self.path} belongs to another training: expected the fingerprint {self.fingerprint[:12]}…, found "
                f"{found[:12]}…; delete it, or train with --fresh"
            )
        if (begun := meta.get("arithmetic")) != self.arithmetic:
            raise DataError(
                f"{self.path} was begun in {begun or 'an earlier version'}, and would go on in {self.arithmetic} "
                "(training.precision: auto, or TF_ENABLE_ONEDNN_OPTS); go on as it was begun, or train with --fresh"
            )
        best = {name.removeprefix("best/"): arrays.pop(name) for name in list(arrays) if name.startswith("best/")}
        if wrong := assign_if_fitting(variables, arrays):
            raise DataError(f"{self.path} does not fit this training at {wrong}; delete it, or train with --fresh")
        return State.from_json(meta["state"]), best

    def delete(self) -> None:
        """Delete the folder, if there is one.

        Raises:
            OSError: It cannot be deleted.
        """
        if self.path.parent.exists():
            shutil.rmtree(self.path.parent)


def read_state(folder: Path) -> State | None:
    """Return the progress of the training in a checkpoint's folder, or None where it has saved nothing yet.

    Raises:
        DataError: When the file is damaged, or of another version.
    """
    path = folder / _NAME
    if not path.exists():
        return None
    try:
        return State.from_json(load_meta(path)["state"])
    except (KeyError, TypeError) as error:
        raise DataError(f"{path} was written by another version; delete it and run again") from error
