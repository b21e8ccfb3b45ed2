"""Sends spool folders to MLflow, also while they grow: `python -m pipeline.sender HOME SPOOL_FOLDER...`.

Ends with 0 when everything is sent and the folders are gone, else with 1 and the reason as its last line of
output.
"""

import json
import os
import shutil
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.recorder import EVENTS, now

_POLL_SECONDS = 0.1
_PROBE_SECONDS = 3.0


def tracking_uri(home: Path) -> str:
    """The tracking server named by MLFLOW_TRACKING_URI, by default a database in the repository."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / 'mlflow.db'}"


def probe(uri: str) -> str | None:
    """Say within seconds what is wrong with a tracking server, or None where it answers or is no server."""
    if not uri.startswith(("http://", "https://")):
        return None
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=_PROBE_SECONDS):
            return None
    except urllib.error.HTTPError:
        return None  # it answers; what it lets us do shows later
    except (OSError, ValueError) as error:
        return f"{uri} does not answer ({getattr(error, 'reason', error)})"


def read_events(folder: Path, writer_gone: threading.Event) -> Iterator[list[dict[str, Any]]]:
    """Yield events as they are written, as many at a time as there are, and an end if the run was killed.

    Args:
        folder: The spool folder.
        writer_gone: Set when nothing more will be written.
    """
    with open(folder / EVENTS, encoding="utf-8") as file:
        rest = ""
        while True:
            gone = writer_gone.is_set()
            *lines, rest = (rest + file.read()).split("\n")
            events = [json.loads(line) for line in lines]
            if events:
                yield events
                if events[-1]["event"] == "end":
                    return
            elif gone:
                yield [{"event": "end", "time": now(), "status": "KILLED", "cost": {}}]
                return
            else:
                time.sleep(_POLL_SECONDS)


def send(folder: Path, home: Path, writer_gone: threading.Event) -> None:
    """Send everything in a spool folder, then remove it.

    Raises:
        Exception: Whatever MLflow raises; the folder then stays as it is, and may be sent again.
    """
    uri = tracking_uri(home)
    if problem := probe(uri):
        raise ConnectionError(problem)
    _settings()
    from pipeline.mlflow_store import MlflowStore

    store = MlflowStore(uri, home)
    for events in read_events(folder, writer_gone):
        store.take(events, folder)
    shutil.rmtree(folder)


def _settings() -> None:
    """Keep MLflow quiet, at home, and quick to give up."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")


def _watch_writer(writer_gone: threading.Event) -> None:
    sys.stdin.read()
    writer_gone.set()


def main() -> int:
    """Send the folders named on the command line."""
    home, *folders = map(Path, sys.argv[1:])
    writer_gone = threading.Event()
    threading.Thread(target=_watch_writer, args=(writer_gone,), daemon=True).start()
    try:
        for folder in folders:
            send(folder, home, writer_gone)
    except Exception as error:  # whatever it is, the stage goes on and the spool is kept
        print((str(error).strip().splitlines() or [type(error).__name__])[0][:200])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
