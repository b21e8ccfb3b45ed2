"""What every stage gets besides its inputs, outputs and parameters.

This module is in the import closure of every stage, so an edit here reruns the whole pipeline: keep it small.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Protocol

from pydantic import BaseModel, ConfigDict, Field

from alexnet_tf.stop import Stop


class StageParams(BaseModel):
    """Base of every parameter model: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


SPLITS = ("train", "validation", "test")
"""Of every data set, in the order in which they are shown."""

Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""Of every stage that draws, so that one number may be given to all."""


class Tracker(Protocol):
    """Where a stage reports what it measures; reporting never fails a stage."""

    def metrics(self, values: Mapping[str, float], *, step: int | None = None) -> None:
        """Record numbers, for example `{"train/loss": 2.1}`, at a step (an epoch, counted from 1) or once."""
        ...

    def step_metrics(self, values: Mapping[str, Sequence[float]], *, first: int) -> None:
        """Offer numbers of successive training steps, counted from 1; a tracker may find them too many to record."""
        ...

    def tags(self, values: Mapping[str, str]) -> None:
        """Record words, for example the devices that were used."""
        ...

    def artifact(self, path: Path, *, folder: str = "") -> None:
        """Keep a copy of the file `path` with the run; `folder` is one of its artifacts, "" their top."""
        ...


class SilentTracker:
    """Records nothing."""

    def metrics(self, values: Mapping[str, float], *, step: int | None = None) -> None:
        """Ignore `values`."""

    def step_metrics(self, values: Mapping[str, Sequence[float]], *, first: int) -> None:
        """Ignore `values`."""

    def tags(self, values: Mapping[str, str]) -> None:
        """Ignore `values`."""

    def artifact(self, path: Path, *, folder: str = "") -> None:
        """Ignore `path`."""


class Task(Protocol):
    """One piece of work with a known size, shown as a bar or as a line every few seconds."""

    def advance(self, amount: int = 1, **figures: float | str) -> None:
        """Say that `amount` more units are done; `figures` (`loss=2.1`, `epoch="2 of 4"`) are shown beside the bar."""
        ...


class Progress(Protocol):
    """Shows long work to a person."""

    def task(self, description: str, *, total: int, unit: str) -> AbstractContextManager[Task]:
        """Start a task of `total` units, for example `task("preprocess train", total=16, unit="shards")`."""
        ...

    def line(self, text: str) -> None:
        """Show one line that stays, for example what an epoch came to; a bar goes on below it."""
        ...


class _SilentTask:
    def advance(self, amount: int = 1, **figures: float | str) -> None:
        """Show nothing."""


class SilentProgress:
    """Shows nothing."""

    def task(self, description: str, *, total: int, unit: str) -> AbstractContextManager[Task]:
        """Return a task that shows nothing."""
        return nullcontext(_SilentTask())

    def line(self, text: str) -> None:
        """Ignore `text`."""


@dataclass(frozen=True)
class BeamRuntime:
    """Which Beam runner carries a stage, and with how many workers; 0 is one for each core.

    The runner is pinned: without one, Beam 2.77 first tries to fetch a binary from the network.
    """

    runner: str = "FnApiRunner"
    num_workers: int = 0
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Runtime:
    """What changes how fast or where a stage runs, and its result by rounding at most. `Runtime()` is local and silent.

    Attributes:
        tracker: Receives metrics, tags and artifacts.
        progress: Shows progress.
        beam: The Beam runner of the stages that use Beam.
        devices: TensorFlow device names, for example `("GPU:0", "GPU:1")`; empty means every GPU, else the CPU.
        source_folder: Folder of data sets that are already on this machine.
        scratch: A folder for resumable checkpoints, named by what is trained; None keeps no checkpoint.
        fresh: Ignore and delete an earlier checkpoint.
        checkpoint_interval_seconds: Time between two checkpoints.
        input_parallel_calls: Training batches that are read at once.
        stop: Asks a stage that can go on later to save and end.
    """

    tracker: Tracker = field(default_factory=SilentTracker)
    progress: Progress = field(default_factory=SilentProgress)
    beam: BeamRuntime = field(default_factory=BeamRuntime)
    devices: tuple[str, ...] = ()
    source_folder: Path | None = None
    scratch: Path | None = None
    fresh: bool = False
    checkpoint_interval_seconds: float = 180.0
    input_parallel_calls: int = 2
    stop: Stop = field(default_factory=Stop)
