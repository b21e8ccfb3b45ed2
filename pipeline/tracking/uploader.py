"""Sends what stages record to MLflow, in a process of its own.

    python -m pipeline.tracking.uploader ROOT HOME KIND PIPELINE PID START

The first stage of a pipeline run starts it. It imports MLflow once for all stages, which wait neither for that nor
for a slow or dead server. It outlives `dvc` by a few seconds: while a stage runs, dvc.lock does not have its outputs
yet, and stages that DVC skips after it start no process, so a pipeline run can be completed only after `dvc` has
ended.
"""

import contextlib
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.environment.git import experiment_revision
from pipeline.environment.lock import NoLocksError
from pipeline.environment.os_errors import os_error_sentence
from pipeline.environment.processes import is_alive
from pipeline.environment.workspace import Workspace, scratch_of
from pipeline.tracking import spool
from pipeline.tracking.flush import connect, reason
from pipeline.tracking.uploads import held, problem_file

if TYPE_CHECKING:
    from pipeline.tracking.mlflow_client import Runs
    from pipeline.tracking.spool_reader import SpoolReader

_POLL_SECONDS = 0.2
_RETRY_SECONDS = 20.0
_COMMIT_SECONDS = 30.0


class Uploader:
    """Uploads all that is in the spool, whoever wrote it.

    Args:
        home: Folder of the tracking store.
        pipeline: The pipeline run that started it.
    """

    def __init__(self, home: Path, pipeline: str) -> None:
        self._home = home
        self._problem_file = problem_file(home, pipeline)
        self._runs: Runs | None = None
        self._under_way: dict[Path, SpoolReader] = {}
        self._failures: Counter[Path] = Counter()
        self._resting_until = 0.0
        self._unclaimed: OSError | None = None

    def round(self) -> bool:
        """Upload what is new; return whether something is still being written or waits for the next round."""
        if time.monotonic() < self._resting_until:
            return bool(self._under_way)
        folder = None
        try:
            if self._runs is None:
                self._runs = connect(self._home)
            self._claim(self._runs)
            for folder, reader in list(self._under_way.items()):
                if reader.proceed():
                    del self._under_way[folder]
        except Exception as error:  # a server that is down, slow or refuses; the spool is whole and tried again
            for reader in self._under_way.values():
                reader.release()
            self._under_way.clear()
            self._runs = None
            if folder:
                self._failures[folder] += 1
            self._problem_file.write_text(reason(error, self._home), encoding="utf-8")
            self._resting_until = time.monotonic() + _RETRY_SECONDS
            return False
        if self._unclaimed:
            self._problem_file.write_text(reason(self._unclaimed, self._home), encoding="utf-8")
        else:
            self._problem_file.unlink(missing_ok=True)
        return bool(self._under_way)

    def last_round(self) -> None:
        """Try everything once more, also after a failure; a folder that fails holds up no other."""
        for _ in range(1 + len(spool.waiting(scratch_of(self._home)))):
            self._resting_until, failures = 0.0, self._failures.total()
            while self.round():
                time.sleep(_POLL_SECONDS)
            if self._failures.total() == failures:  # all is sent, or there is no server
                return

    def _claim(self, runs: "Runs") -> None:
        from pipeline.tracking.spool_reader import SpoolReader

        self._unclaimed = None
        waiting = spool.waiting(scratch_of(self._home))
        for folder in sorted(waiting, key=lambda each: (self._failures[each], each)):
            if folder not in self._under_way:
                reader = SpoolReader(folder, runs)
                try:
                    if reader.claim():
                        self._under_way[folder] = reader
                except NoLocksError:
                    raise
                except OSError as error:  # of this folder alone, for example another user's
                    self._unclaimed = error


def follow(
    uploader: Uploader, workspace: Workspace, pipeline: str, process: int, started: float, *, for_part: bool
) -> None:
    """Upload while `dvc` runs, then complete the rows of its pipeline run, and mark those that are not complete.

    An experiment that runs in a folder of its own takes the folder with it; it is read from the commit that DVC makes
    of it, in a queue some seconds after the process has ended, and for one that failed never.
    """
    while is_alive(process, started):
        uploader.round()
        time.sleep(_POLL_SECONDS)
    uploader.last_round()
    event = _described(workspace, pipeline)
    # How `dvc` ended, only its parent could know. Asked for everything, it leaves nothing out unless it is stopped.
    ended_well = for_part if workspace.root == workspace.home else event is not None
    event = event or {"event": "standing", "time": spool.now(), "rows": []}
    from pipeline.tracking.backfill import put

    put(workspace.home, {**event, "pipeline": pipeline, "otherwise": "SCHEDULED" if ended_well else "KILLED"})


def _described(workspace: Workspace, pipeline: str) -> spool.StandingEvent | None:
    from pipeline.config.load import load
    from pipeline.tracking.backfill import describe, describe_experiment, with_files

    try:
        if workspace.root == workspace.home:
            event = describe(workspace, load(workspace.root), pipeline)
            return event and with_files(workspace.root, event)
        end = time.monotonic() + _COMMIT_SECONDS
        while time.monotonic() < end:
            if revision := experiment_revision(workspace.home):
                return describe_experiment(workspace.home, revision, pipeline)
            time.sleep(_POLL_SECONDS)
    except Exception:  # the tree may be in the middle of a change; whatever it is, there is no one to tell
        return None
    return None


def main() -> None:
    """Upload for one pipeline run, or for one stage that was started by hand."""
    root, home, kind, pipeline, process, started = sys.argv[1:]
    workspace = Workspace(Path(root), Path(home))
    try:
        _upload(workspace, kind, pipeline, int(process), float(started))
    except OSError as error:
        with contextlib.suppress(OSError):
            told = (
                error
                if isinstance(error, NoLocksError)
                else os_error_sentence(error, "the upload stopped", workspace.home)
            )
            problem_file(workspace.home, pipeline).write_text(str(told), encoding="utf-8")


def _upload(workspace: Workspace, kind: str, pipeline: str, process: int, started: float) -> None:
    with held(workspace.home, pipeline, (process, started)) as is_first:
        if not is_first:
            return
        spool.clear(workspace.scratch)
        uploader = Uploader(workspace.home, pipeline)
        if kind != "hand":
            follow(uploader, workspace, pipeline, process, started, for_part=kind == "part")
        uploader.last_round()
        if kind != "hand":  # a stage by hand waits to read it, and removes it
            problem_file(workspace.home, pipeline).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
