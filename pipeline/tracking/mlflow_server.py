"""MLflow's own server over a local store: loopback only, one worker, no job runner."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from alexnet_tf.errors import AlexNetError
from pipeline.environment.workspace import scratch_of
from pipeline.tracking.mlflow_view import view_path
from pipeline.tracking.relocation import ARTIFACTS

_PATIENCE_SECONDS = 120.0


def serve(uri: str, home: Path, port: int, ready: Callable[[str], None]) -> None:
    """Serve until KeyboardInterrupt, so that no server is left behind.

    Args:
        uri: Tracking URI of a local store.
        home: Folder of its artifacts; the server's log goes to `.alexnet/ui.log` there.
        port: A free port of the loopback interface.
        ready: Called with the address once it answers.

    Raises:
        AlexNetError: The server ended by itself, or never answered.
    """
    address = f"http://127.0.0.1:{port}"
    log = scratch_of(home) / "ui.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    # A person looking at runs needs one worker and no job runner; each further process costs 250 MB.
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    place = ["--backend-store-uri", uri, "--default-artifact-root", (home / ARTIFACTS).as_uri()]
    network = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with open(log, "w", encoding="utf-8") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *place, *network],
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its workers are ended with it, as one group
        )
    try:
        _await(server, address, log)
        ready(address)
        server.wait()
        raise AlexNetError(f"MLflow's server ended: {_last_words(log)}")
    except KeyboardInterrupt:
        return
    finally:
        _end(server)


def comparison_path(uri: str, home: Path, data_set: str) -> str:
    """The part of the address that opens the runs of a data set in the prepared view."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    from pipeline.tracking.mlflow_client import Runs

    runs = Runs(uri, home)
    with runs.locked():
        return view_path(runs.experiment(data_set), "CHART")


def _await(server: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy reaches this machine's loopback
    while server.poll() is None and time.monotonic() < end:
        try:
            with direct.open(f"{address}/health", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    what = "ended" if server.poll() is not None else f"does not answer after {_PATIENCE_SECONDS:.0f} s"
    raise AlexNetError(f"MLflow's server {what}: {_last_words(log)}")


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"{lines[-1][:300] if lines else 'it printed nothing'} (more in {log})"


def _end(server: "subprocess.Popen[bytes]") -> None:
    try:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=10)
    except ProcessLookupError:
        return
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
