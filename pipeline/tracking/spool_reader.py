"""Brings one spool folder to MLflow, also while it grows."""

import json
import shlex
import shutil
from pathlib import Path
from typing import Any, TextIO

from alexnet_tf.errors import DataError
from pipeline.environment.lock import is_at, try_lock
from pipeline.environment.processes import writer_is_alive
from pipeline.tracking.mlflow_client import Runs
from pipeline.tracking.mlflow_writer import MlflowWriter
from pipeline.tracking.spool import EVENTS, LAST_EVENTS, SENT, now


class SpoolReader:
    """Reads what is new in a folder and hands it on; the folder goes when all of it has arrived.

    Args:
        folder: The spool folder.
        runs: Where its events go.
    """

    def __init__(self, folder: Path, runs: Runs) -> None:
        self._folder = folder
        self._store = MlflowWriter(runs)
        self._file: TextIO | None = None
        self._rest = ""
        self._first: dict[str, Any] = {}

    def claim(self) -> bool:
        """Take the folder, unless another process has it or has sent it.

        Raises:
            NoLocksError: The file system has no locks, so another process may be sending it.
        """
        path = self._folder / EVENTS
        try:
            file = open(path, "r+", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115 - held for its lock
        except FileNotFoundError:
            return False
        try:
            if try_lock(file) and is_at(path, file):
                self._file = file
        finally:
            if self._file is None:
                file.close()
        return self._file is not None

    def proceed(self) -> bool:
        """Send what there is, and an end for a writer that was killed; return whether that was all.

        Raises:
            Exception: Whatever MLflow raises; the folder then stays as it is, and may be sent again.
        """
        if self._file is None:
            raise RuntimeError(f"{self._folder} is not claimed")
        alive = writer_is_alive(self._first)  # asked before reading, so that nothing it wrote last is missed
        *lines, self._rest = (self._rest + self._file.read()).split("\n")
        events = self._parsed(lines)
        if events and not self._first:
            self._first = events[0]
        elif not events and not alive:
            events = [{"event": "end", "time": now(), "status": "KILLED", "cost": {}}]
        self._store.take(events, self._folder)
        if events and events[-1]["event"] in LAST_EVENTS:
            (self._folder / EVENTS).rename(self._folder / SENT)  # from now on nobody takes it for one that waits
            self.release()  # NFS keeps a file that is open, under another name, and so the folder
            shutil.rmtree(self._folder, ignore_errors=True)
            return True
        return False

    def _parsed(self, lines: list[str]) -> list[dict[str, Any]]:
        try:
            events = [json.loads(line) for line in lines]
            _ = [event["event"] for event in events]
        except (ValueError, KeyError, TypeError) as error:
            folder = shlex.quote(str(self._folder))
            raise DataError(f"a record is damaged and cannot be sent; `rm -r {folder}` gives it up") from error
        return events

    def release(self) -> None:
        """Leave the folder to others."""
        if self._file:
            self._file.close()
            self._file = None
