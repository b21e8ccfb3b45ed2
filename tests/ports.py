"""Ports of the loopback interface: some that nothing listens on, and waiting until a process does."""

import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack


def free_ports(count: int) -> list[int]:
    """Return `count` ports, all different, as all are held until the last is known."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]


def await_port(port: int, process: subprocess.Popen) -> None:
    """Wait for at most a minute until `process` listens on a port."""
    _await(lambda: socket.create_connection(("127.0.0.1", port), timeout=5).close(), process, 60)


def await_mlflow(port: int, server: subprocess.Popen) -> None:
    """Wait for at most three minutes until a server of MLflow answers."""
    _await(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close(), server, 180)


def _await(attempt: Callable[[], None], process: subprocess.Popen, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert process.poll() is None, f"{process.args} ended with {process.returncode}"
        try:
            return attempt()
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{process.args} did not answer within {seconds} s")
