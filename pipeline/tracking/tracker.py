"""Records what a stage measures: first into a spool folder, from where another process sends it to MLflow.

The other process keeps MLflow's import and a slow or dead server out of the stage, and ends the MLflow run
when the stage is killed. What it could not send stays in the spool, one folder per stage run.
"""

import os
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from components.interfaces import Tracker
from pipeline.config.load import Config
from pipeline.environment.git import uncommitted_changes
from pipeline.environment.processes import is_under_dvc, pipeline_key, pipeline_process, writer
from pipeline.environment.typed import typed
from pipeline.environment.workspace import Workspace
from pipeline.stages.table import Item
from pipeline.tracking import event_files, spool, uploads
from pipeline.tracking.run_descriptions import dataset_entries, row_entries, run_identity, stage_entry
from pipeline.tracking.spool import StartEvent, now
from pipeline.tracking.stage_runs import headline_metrics
from pipeline.tracking.tracking_uri import is_server, tracking_uri

_MAX_ARTIFACT_BYTES = 50_000_000
# A database in the repository is only slow while the machine is busy; a server may be slow for ever.
_PATIENCE_SECONDS = {"database": 60.0, "server": 8.0}
_POLL_SECONDS = 0.1


class StageTracker(Tracker, Protocol):
    """A tracker of one run of one stage."""

    def close(self, status: str, cost: dict[str, float]) -> None:
        """End the run with MLflow's word for how it ended, and with what it cost."""
        ...


def open_tracker(
    workspace: Workspace,
    tell: Callable[[str], None],
    item: Item,
    config: Config,
    fingerprint: str,
    *,
    send: bool = True,
) -> StageTracker:
    """Start recording one run of a stage.

    Args:
        workspace: Whose runs are recorded.
        tell: Shows one line to the user.
        item: The run.
        config: The checked params.yaml.
        fingerprint: Of the run.
        send: Whether to send what is recorded; else it stays in the spool.
    """
    start: StartEvent = {
        "event": "start",
        "run": uuid.uuid4().hex,
        "time": now(),
        "writer": writer(os.getpid()),
        "process": [*pipeline_process(), socket.gethostname()],
        "alone": not is_under_dvc(),
        "identity": run_identity(workspace.root, config),
        "stage": stage_entry(workspace, item, config, fingerprint),
        "rows": row_entries(workspace, item, config),
        "datasets": dataset_entries(workspace, item, config),
    }
    tracker = SpoolTracker(workspace, item, start, tell, send=send)
    if not config.runtime.tensorboard or item.stage.name != "train":  # no other stage has steps
        return tracker
    folder = event_files.run_folder(workspace.scratch / event_files.FOLDER, start["rows"][0], fingerprint)
    tell(f"{item.address}: {event_files.where(workspace.home, folder)}")
    return event_files.EventFiles(tracker, folder, tell)


class SpoolTracker:
    """Writes events to the spool; an error there ends the recording and never the stage."""

    def __init__(
        self,
        workspace: Workspace,
        item: Item,
        start: StartEvent,
        tell: Callable[[str], None],
        *,
        send: bool,
    ) -> None:
        self._workspace = workspace
        self._item = item
        self._tell = tell
        self._folder = spool.folder_for(workspace.scratch, start["time"], f"{item.address}-{start['run'][:8]}")
        self._broken = False
        self._artifacts = 0
        self._send = send
        self._record(start)
        if send and not self._broken:
            uploads.start(workspace)
        if not self._broken and (patch := uncommitted_changes(workspace.root)):
            self._keep_patch(patch)

    def metrics(self, values: Mapping[str, float], *, step: int | None = None) -> None:
        """Record numbers at a step, or once."""
        numbers = {name: float(value) for name, value in values.items()}
        self._record({"event": "metrics", "time": now(), "step": step or 0, "values": numbers})

    def step_metrics(self, values: Mapping[str, Sequence[float]], *, first: int) -> None:
        """Ignore the numbers of steps: MLflow has those of epochs."""

    def tags(self, values: Mapping[str, str]) -> None:
        """Record words."""
        self._record({"event": "tags", "values": {name: str(value) for name, value in values.items()}})

    def artifact(self, path: Path, *, folder: str = "") -> None:
        """Keep a copy of a file; one over 50 MB stays where it is."""
        if self._broken:
            return
        try:
            if path.stat().st_size <= _MAX_ARTIFACT_BYTES:
                self._keep(path, folder)
        except OSError as error:
            self._give_up(error)

    def close(self, status: str, cost: dict[str, float]) -> None:
        """Record the end, wait a while for everything to be sent, and say so where that fails."""
        if status == "FINISHED" and (values := headline_metrics(self._workspace.root, self._item)):
            self._record({"event": "headline", "time": now(), "values": values})  # the variant's own row has them, too
        self._record({"event": "end", "time": now(), "status": status, "cost": cost})
        if self._send and not self._broken:
            self._see_it_off()

    def _see_it_off(self) -> None:
        """Say what keeps the run from MLflow. Below `dvc` the uploader has time; a run by hand waits for it a while."""
        uri = tracking_uri(self._workspace.home)
        patience = 0.0 if is_under_dvc() else _PATIENCE_SECONDS["server" if is_server(uri) else "database"]
        end = time.monotonic() + patience
        while self._folder.exists():
            if problem := uploads.problem(self._workspace.home, pipeline_key()):
                kept = f"{self._item.address} is kept in {self._where()}, `{typed('alexnet track sync')}` sends it"
                self._tell(f"MLflow: {problem}; {kept}")
                if not is_under_dvc():
                    uploads.problem_file(self._workspace.home, pipeline_key()).unlink(missing_ok=True)
                return
            if time.monotonic() > end:
                break
            time.sleep(_POLL_SECONDS)
        if patience and self._folder.exists():
            self._tell(
                f"MLflow is slow: {self._item.address} is still being sent from {self._where()}; nothing is lost"
            )

    def _keep(self, file: Path, folder: str) -> None:
        place = self._new_place()
        shutil.copyfile(file, place / file.name)
        self._announce(place / file.name, folder)

    def _keep_patch(self, patch: bytes) -> None:
        if len(patch) > _MAX_ARTIFACT_BYTES:  # a part of it would not apply
            self._tell(
                f"MLflow: the changes since the commit are a patch of {len(patch) / 1e6:.0f} MB, which is too large to "
                "keep with the run; commit them, so that the run says what it ran"
            )
            return
        try:
            file = self._new_place() / "changes.patch"
            file.write_bytes(patch)
            self._announce(file, "git")
        except OSError as error:
            self._give_up(error)

    def _new_place(self) -> Path:
        place = self._folder / "artifacts" / str(self._artifacts)
        place.mkdir(parents=True)
        self._artifacts += 1
        return place

    def _announce(self, file: Path, folder: str) -> None:
        place = file.relative_to(self._folder).as_posix()
        self._record({"event": "artifact", "file": place, "folder": folder})

    def _record(self, event: Mapping[str, Any]) -> None:
        if self._broken:
            return
        try:
            spool.append(self._folder, event)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._broken = True
        self._tell(f"tracking of {self._item.address} stopped: {error.strerror or error}; the stage continues")

    def _where(self) -> str:
        return str(self._folder.relative_to(self._workspace.home))
