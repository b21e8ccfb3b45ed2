"""The spool: one folder for each thing that is to be recorded, kept until MLflow has all of it.

A folder holds `events.jsonl`, one event a line, and the artifacts that the events name. The process that writes it
never waits for MLflow; `pipeline.tracking.uploader` and `pipeline.tracking.flush`, in processes of their own, send
it.
"""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

from pipeline.environment.processes import writer_is_alive

EVENTS = "events.jsonl"
SENT = "sent.jsonl"  # the events, once all have arrived
_FOLDER = "spool"
_UNREAD = "first.jsonl"
LAST_EVENTS = ("end", "standing")


class Remake(TypedDict):
    """All that a stage's run is made again from, where no store has it."""

    time: int
    params: dict[str, str]
    tags: dict[str, str]
    curves: list[dict[str, Any]]  # step and values of each epoch
    cost: dict[str, float]
    reports: list[str]  # paths


class StageDescription(TypedDict):
    """A stage that is up to date."""

    stage: str  # its address
    fingerprint: str  # "" where dvc.lock alone is known
    metrics: dict[str, float]  # that it adds to a row
    outs: dict[str, str]  # tag `dvc.out.PATH` -> DVC's hash
    remake: NotRequired[Remake]


class RowDescription(TypedDict):
    """The row of a variant: its parent run in MLflow."""

    variant: str
    key: str  # by which it is found again
    pipeline: str  # the pipeline run, "" where none made it
    params: dict[str, str]
    tags: dict[str, str]


class StartRow(RowDescription):
    """One that a stage is about to add to."""

    before: list[StageDescription]  # that the stage needs


class StandingRow(RowDescription):
    """One with every stage that is up to date."""

    standing: list[StageDescription]
    state: str  # a hash of parameters and outputs
    state_tags: dict[str, str]
    datasets: list[dict[str, str]]
    files: NotRequired[list[list[str]]]  # path and folder of what its page is to hold


class StartEvent(TypedDict):
    """The first event of a stage's run; `metrics`, `headline`, `tags`, `artifact` and `end` follow."""

    event: Literal["start"]
    run: str
    time: int
    writer: list[float]
    process: list[Any]  # of the pipeline: its number, when it began, and the host
    alone: bool  # by hand
    identity: str
    stage: dict[str, Any]  # name, fingerprint, params and tags
    rows: list[StartRow]
    datasets: list[dict[str, str]]


class StandingEvent(TypedDict):
    """The only event of a state, or of a pipeline run that is over: `pipeline`, and how rows end otherwise."""

    event: Literal["standing"]
    time: int
    rows: list[StandingRow]
    identity: NotRequired[str]
    pipeline: NotRequired[str]
    otherwise: NotRequired[str]


def now() -> int:
    """Milliseconds since 1970, as MLflow counts."""
    return time.time_ns() // 1_000_000


def folder_for(scratch: Path, time: int, name: str) -> Path:
    """Name a folder of the spool; by their names they are sent in the order of their times."""
    return scratch / _FOLDER / f"{time}-{name}"


def append(folder: Path, event: Mapping[str, Any]) -> None:
    """Add an event to a spool folder, the first one whole: of an empty file a reader would think that its writer died.

    Raises:
        OSError: The disk or its rights do not allow it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    is_first = not (folder / EVENTS).exists()
    with open(folder / (_UNREAD if is_first else EVENTS), "w" if is_first else "a", encoding="utf-8") as file:
        file.write(json.dumps(event) + "\n")
    if is_first:
        (folder / _UNREAD).rename(folder / EVENTS)


def waiting(scratch: Path) -> list[Path]:
    """List what was not sent yet, the oldest first."""
    return sorted(path.parent for path in (scratch / _FOLDER).glob(f"*/{EVENTS}"))


def clear(scratch: Path) -> None:
    """Remove what was sent by a process that was killed before it could."""
    for path in (scratch / _FOLDER).glob(f"*/{SENT}"):
        shutil.rmtree(path.parent, ignore_errors=True)  # or another process does so now


def is_growing(folder: Path) -> bool:
    """Whether a process that is still there writes a spool folder."""
    try:
        lines = (folder / EVENTS).read_text(encoding="utf-8").split("\n")[:-1]  # the last one may be cut
        first, last = json.loads(lines[0]), json.loads(lines[-1])
    except (OSError, ValueError, IndexError):
        return False
    return last["event"] not in LAST_EVENTS and writer_is_alive(first)
