"""`alexnet ui`: ports, and the page that it opens, looked at in headless Chromium."""

import contextlib
import os
import pwd
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import chromium
import psutil
import pytest
from click.testing import CliRunner

from pipeline.cli import alexnet
from pipeline.commands.ui import _login, _usable
from pipeline.config.load import load
from pipeline.runner import run_stage
from pipeline.stages.table import all_items
from pipeline.tracking import mlflow_server
from pipeline.tracking.tracker import open_tracker


def test_a_taken_port_is_one_sentence(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = CliRunner().invoke(alexnet, ["ui", "--port", str(taken.getsockname()[1])])
    assert result.exit_code == 1
    assert "address already in use; leave --port out for a free one" in result.stderr
    assert not (workspace.root / "mlflow.db").exists()


@pytest.mark.parametrize(("text", "told"), [("downlod: {}\n", "downlod"), ("- 1\n", "sections")])
def test_a_params_file_that_is_none_is_one_sentence(workspace, monkeypatch, text, told):
    (workspace.root / "params.yaml").write_text(text)
    monkeypatch.chdir(workspace.root)
    result = CliRunner().invoke(alexnet, ["ui", "--no-browser"])
    assert result.exit_code == 2
    assert told in result.stderr
    assert "Traceback" not in result.output


def test_without_a_port_a_free_one_is_found():
    port = _usable(None)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))


def test_the_login_is_the_users_name_wherever_home_is(monkeypatch, tmp_path):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "not_a_name"))
    assert _login() == f"{pwd.getpwuid(os.getuid()).pw_name}@{socket.gethostname()}"
    monkeypatch.setattr(pwd, "getpwuid", lambda number: {}[number])
    assert _login() == f"USER@{socket.gethostname()}"


def test_a_proxy_is_not_asked_for_the_server_of_this_machine(tmp_path, free_port, monkeypatch):
    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setattr(mlflow_server, "_PATIENCE_SECONDS", 2.0)
    (tmp_path / "ui.log").touch()
    with ThreadingHTTPServer(("127.0.0.1", free_port), Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running = SimpleNamespace(poll=lambda: None)
        mlflow_server._await(running, f"http://127.0.0.1:{free_port}", tmp_path / "ui.log")
        server.shutdown()


def test_with_a_server_it_names_that(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    result = CliRunner().invoke(alexnet, ["ui"])
    assert result.exit_code == 0
    assert "the runs are at http://127.0.0.1:9" in result.output


def test_it_serves_this_machine_alone_without_jobs_and_says_how_to_reach_it(workspace, free_port):
    with _serving(workspace, free_port, ended_by=signal.SIGHUP) as (process, said):  # its terminal was closed
        assert said[0].startswith(f"faithful against optimized: http://127.0.0.1:{free_port}/#/experiments/")
        assert said[1].split() == ["all", "of", "MLflow:", f"http://127.0.0.1:{free_port}"]
        login = rf"\S+@{re.escape(socket.gethostname())}"
        assert re.fullmatch(rf"from another machine: +ssh -N -L {free_port}:127.0.0.1:{free_port} {login}, .*", said[2])
        below = psutil.Process(process.pid).children(recursive=True)
        assert below
        assert not [words for each in below if "job" in (words := " ".join(each.cmdline())) or "huey" in words]
        if sys.platform == "linux":
            assert _listening(free_port) == {"0100007F"}, "it listens beyond 127.0.0.1"
            ours = {connection.laddr.ip for each in below for connection in each.net_connections("inet")}
            assert ours <= {"127.0.0.1"}
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{free_port}/health", timeout=5)


@pytest.mark.slow
@pytest.mark.skipif(chromium.installed() is None, reason="looks at the page in Chromium, which is not installed")
def test_the_prepared_view_shows_both_variants_side_by_side(workspace, free_port):
    config = load(workspace.root)
    for item in all_items(config.values):
        run_stage(workspace, config, item, open_tracker=partial(open_tracker, workspace, print, send=False))
    with _serving(workspace, free_port) as (_, said), chromium.screen(width=1600, height=1600) as screen:
        text = screen.show(said[0].split(": ", 1)[1], "What differs")
    for part in (
        "Errors on the test split",
        "Training",
        "Cost",
        "What differs",
        "faithful seed 2012",
        "optimized seed 2012",
    ):
        assert part in text
    assert "Something went wrong" not in text


@contextlib.contextmanager
def _serving(workspace, port, ended_by=signal.SIGINT):
    """Run `alexnet ui` for the while, and give its process and the lines that it printed once it answered."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(workspace.root)}
    command = [sys.executable, "-m", "pipeline", "ui", "--port", str(port), "--no-browser"]
    process = subprocess.Popen(command, cwd=workspace.root, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, [process.stdout.readline().rstrip() for _ in range(4)]
    finally:
        process.send_signal(ended_by)
        assert process.wait(30) == 0
        process.stdout.close()


def _listening(port: int) -> set[str]:
    """Addresses, as Linux writes them, on which something listens on a port."""
    found = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, _, number = local.partition(":")
            if state == "0A" and int(number, 16) == port:
                found.add(address)
    return found
