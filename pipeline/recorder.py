"""Records what a stage measures: first into a spool folder, from where another process sends it to MLflow.

The other process keeps MLflow's import and a slow or dead server out of the stage, and ends the MLflow run
when the stage is killed. What it could not send stays in the spool, whole, one folder a stage run:
`events.jsonl` and the artifacts that it names.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from components.interfaces import Tracker
from pipeline.config import Config
from pipeline.dag import Item
from pipeline.rows import dataset_entries, headline_metrics, row_entries, stage_entry
from pipeline.workspace import Workspace

EVENTS = "events.jsonl"
_MAX_ARTIFACT_BYTES = 50_000_000
_PATIENCE_SECONDS = 60.0


class StageTracker(Tracker, Protocol):
    """A tracker of one run of one stage."""

    def close(self, status: str, cost: dict[str, float]) -> None:
        """End the run with MLflow's word for how it ended, and with what it cost."""
        ...


class Recorder:
    """Opens a tracker for each run of a stage.

    Args:
        workspace: Whose runs are recorded.
        tell: Shows one line to the user.
        send: Whether to send what is recorded; else it stays in the spool.
    """

    def __init__(self, workspace: Workspace, tell: Callable[[str], None], *, send: bool = True) -> None:
        self._workspace = workspace
        self._tell = tell
        self._send = send

    def open(self, item: Item, config: Config, fingerprint: str) -> "SpoolTracker":
        """Start recording one run."""
        start = {
            "event": "start",
            "run": uuid.uuid4().hex,
            "time": now(),
            "stage": stage_entry(self._workspace, item, config, fingerprint),
            "rows": row_entries(self._workspace, item, config),
            "datasets": dataset_entries(self._workspace, item, config),
        }
        return SpoolTracker(self._workspace, item, start, self._tell, send=self._send)


class SpoolTracker:
    """Writes events to the spool; an error there ends the recording and never the stage."""

    def __init__(
        self,
        workspace: Workspace,
        item: Item,
        start: dict[str, Any],
        tell: Callable[[str], None],
        *,
        send: bool,
    ) -> None:
        self._workspace = workspace
        self._item = item
        self._tell = tell
        self._folder = workspace.scratch / "spool" / f"{start['time']}-{item.address}-{start['run'][:8]}"
        self._broken = False
        self._artifacts = 0
        self._sender: subprocess.Popen[str] | None = None
        self._record(start)
        if send and not self._broken:
            self._sender = _start_sender(workspace, self._folder)

    def metrics(self, values: Mapping[str, float], *, step: int | None = None) -> None:
        """Record numbers at a step, or once."""
        numbers = {name: float(value) for name, value in values.items()}
        self._record({"event": "metrics", "time": now(), "step": step or 0, "values": numbers})

    def tags(self, values: Mapping[str, str]) -> None:
        """Record words."""
        self._record({"event": "tags", "values": {name: str(value) for name, value in values.items()}})

    def artifact(self, path: Path, *, folder: str = "") -> None:
        """Keep a copy of a file or folder; files over 50 MB stay where they are."""
        try:
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if not file.is_file() or file.stat().st_size > _MAX_ARTIFACT_BYTES:
                    continue
                inside = file.parent.relative_to(path.parent).as_posix() if path.is_dir() else "."
                self._keep(file, "/".join(part for part in (folder, inside) if part not in ("", ".")))
        except OSError as error:
            self._give_up(error)

    def headline(self, prefix: str, values: Mapping[str, float]) -> None:
        """Record numbers that also stand on the variant's own row."""
        named = {f"{prefix}/{name}": float(value) for name, value in values.items()}
        self._record({"event": "headline", "time": now(), "values": named})

    def close(self, status: str, cost: dict[str, float]) -> None:
        """Record the end, wait a while for everything to be sent, and say so where that fails."""
        if status == "FINISHED":
            for prefix, values in headline_metrics(self._workspace.root, self._item).items():
                self.headline(prefix, values)
        self._record({"event": "end", "time": now(), "status": status, "cost": cost})
        if self._sender is None:
            return
        try:
            said, _ = self._sender.communicate(timeout=_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._tell(f"MLflow is slow: {self._item.address} is still being sent from {self._where()}")
            return
        if self._sender.returncode:
            reason = (said.strip().splitlines() or ["the sender stopped"])[-1]
            self._tell(f"MLflow: {reason}; {self._item.address} is kept in {self._where()}")

    def _keep(self, file: Path, folder: str) -> None:
        place = self._folder / "artifacts" / str(self._artifacts)
        place.mkdir(parents=True)
        shutil.copyfile(file, place / file.name)
        self._artifacts += 1
        self._record({"event": "artifact", "file": f"{place.parent.name}/{place.name}/{file.name}", "folder": folder})

    def _record(self, event: dict[str, Any]) -> None:
        if self._broken:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with open(self._folder / EVENTS, "a", encoding="utf-8") as file:
                file.write(json.dumps(event) + "\n")
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._broken = True
        self._tell(f"tracking of {self._item.address} stopped: {error.strerror or error}; the stage itself goes on")

    def _where(self) -> str:
        return str(self._folder.relative_to(self._workspace.home))


def now() -> int:
    """Milliseconds since 1970, as MLflow counts."""
    return time.time_ns() // 1_000_000


def _start_sender(workspace: Workspace, folder: Path) -> "subprocess.Popen[str] | None":
    """Start the process that sends; it notices by its standard input when this one is gone."""
    environment = os.environ | {"PYTHONPATH": _search_path(), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "pipeline.sender", str(workspace.home), str(folder)]
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the stage; the sender still has to report it
        )
    except OSError:
        return None


def _search_path() -> str:
    here = str(Path(__file__).resolve().parent.parent)
    return os.pathsep.join(part for part in (here, os.environ.get("PYTHONPATH", "")) if part)
