"""Processes that tests of engines start, and end with all that these started."""

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path


class Processes(ExitStack):
    """Starts processes, each in a session of its own, and kills at the end of the block those that are left.

    Args:
        logs: An existing folder for what they print, a file each.
        cwd: Where they run.
        environment: All their variables.
    """

    def __init__(self, logs: Path, *, cwd: Path, environment: Mapping[str, str]):
        super().__init__()
        self._logs, self._cwd, self._environment = logs, cwd, environment

    def start(self, *command: str, **variables: str) -> subprocess.Popen:
        environment = {**self._environment, **variables}
        with (self._logs / f"{len(list(self._logs.iterdir()))}.log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=self._cwd, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        self.callback(kill, process)
        return process


def kill(process: subprocess.Popen) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)
