"""`alexnet ui`: ports, and the page that it opens, looked at in headless Chromium."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import chromium
import pytest
from click.testing import CliRunner

from pipeline.cli import alexnet
from pipeline.commands.ui import _usable
from pipeline.config import load
from pipeline.graph import all_items
from pipeline.recorder import Recorder
from pipeline.runner import run_stage


def test_a_taken_port_is_one_sentence(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = CliRunner().invoke(alexnet, ["ui", "--port", str(taken.getsockname()[1])])
    assert result.exit_code == 1
    assert "address already in use; leave --port out for a free one" in result.stderr
    assert not (workspace.root / "mlflow.db").exists()


def test_without_a_port_a_free_one_is_found():
    port = _usable(None)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))


def test_with_a_server_it_names_that(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    result = CliRunner().invoke(alexnet, ["ui"])
    assert result.exit_code == 0
    assert "the runs are at http://127.0.0.1:9" in result.output


@pytest.mark.slow
@pytest.mark.skipif(chromium.installed() is None, reason="looks at the page in Chromium, which is not installed")
def test_the_prepared_view_shows_both_variants_side_by_side(workspace, free_port):
    config = load(workspace.root / "params.yaml")
    for item in all_items(config.values):
        run_stage(workspace, config, item, recorder=Recorder(workspace, print, send=False))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(workspace.root)}
    command = [sys.executable, "-m", "pipeline", "ui", "--port", str(free_port), "--no-browser"]
    process = subprocess.Popen(command, cwd=workspace.root, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        page = process.stdout.readline().split(": ", 1)[1].strip()
        with chromium.screen(width=1600, height=1600) as screen:
            text = screen.show(page, "What differs")
        if sys.platform == "linux":
            assert _listening(free_port) == {"0100007F"}, "it listens beyond 127.0.0.1"
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        process.stdout.close()
    for part in ("Errors on the test split", "Training", "Cost", "What differs", "faithful sample", "optimized sample"):
        assert part in text
    assert "Something went wrong" not in text
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(page, timeout=5)


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
