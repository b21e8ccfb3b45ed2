"""Rows are whole after a queued sweep, and after a repro whose tracking server was killed half-way."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from checkout import wait_for
from dvc_repository import Repository
from store import read_rows

from pipeline.tracking import uploads

STAGES = {"download", "validate", "preprocess", "statistics", "train", "evaluate", "compare", "export"}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def stages_of(row) -> set[str]:
    """The stages that a row holds or links."""
    linked = {tag.removeprefix("skipped.") for tag in row["tags"] if tag.startswith("skipped.")}
    return linked | {name.partition("@")[0] for name in row["below"]}


def test_a_queued_sweep_of_four_points_leaves_whole_rows(tmp_path):
    repository = Repository(tmp_path)
    key = "variants.optimized.training.learning_rate"
    repository.run("dvc", "exp", "run", "--queue", "-S", f"{key}=0.1,0.2,0.3,0.4")
    repository.run("dvc", "exp", "run", "--run-all")
    rows = repository.rows()
    assert len(rows) == 8, "two variants of four points"
    assert len({row["tags"]["dvc.exp_name"] for row in rows}) == 4
    baseline = repository.run("git", "rev-parse", "HEAD").stdout.strip()
    assert {row["tags"]["dvc.baseline_rev"] for row in rows} == {baseline}
    rates = [row["params"]["training.learning_rate"] for row in rows if row["variant"] == "optimized"]
    assert sorted(rates) == ["0.1", "0.2", "0.3", "0.4"]
    for row in rows:
        assert row["tags"]["alexnet.complete"] == "true"
        assert stages_of(row) == STAGES
        assert row["metrics"]["test/center/top1_error"] == 0.25
        assert row["status"] == "FINISHED"


@pytest.fixture
def server(tmp_path, free_port):
    """Starts MLflow's server over one store, as often as it is called."""
    started = []
    folder = tmp_path / "server"
    folder.mkdir()

    def start() -> subprocess.Popen:
        place = ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--artifacts-destination", str(folder)]
        network = ["--host", "127.0.0.1", "--port", str(free_port), "--workers", "1"]
        environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *place, *network],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        started.append(process)
        end = time.monotonic() + 120
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{free_port}/health", timeout=2).close()
                return process
            except (OSError, urllib.error.URLError):
                time.sleep(0.3)
        raise AssertionError("the server does not answer")

    start.folder, start.uri = folder, f"http://127.0.0.1:{free_port}"  # type: ignore[attr-defined]
    yield start
    for process in started:
        kill(process)


def kill(process: subprocess.Popen) -> None:
    """End a server and its workers as a power cut does."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def test_a_server_killed_half_way_has_whole_rows_once_it_is_back(tmp_path, server):
    repository = Repository(tmp_path, MLFLOW_TRACKING_URI=server.uri)
    process = server()
    with subprocess.Popen(
        ["dvc", "repro"], cwd=repository.root, env=repository.environment(), stdout=subprocess.PIPE, text=True
    ) as repro:
        wait_for(repository.root / "reports/train/faithful", 300)
        kill(process)
        said, _ = repro.communicate(timeout=600)
    assert repro.returncode == 0, said
    assert uploads.wait(repository.root, 120)
    assert list((repository.root / ".alexnet/spool").iterdir()), "nothing waits, so the server was not missed"
    early = read_rows(server.folder)
    assert any(stages_of(row) < STAGES for row in early) or len(early) < 2, "the server had everything already"

    refused = repository.run("alexnet", "track", "sync", check=False)
    assert refused.returncode == 1
    assert len(refused.stderr.strip().splitlines()) == 1
    assert "are still in .alexnet/spool" in refused.stderr
    server()
    assert "sent to" in repository.run("alexnet", "track", "sync").stdout
    assert list((repository.root / ".alexnet/spool").iterdir()) == []
    rows = read_rows(server.folder)
    assert sorted(row["variant"] for row in rows) == ["faithful", "optimized"]
    for row in rows:
        assert row["tags"]["alexnet.complete"] == "true"
        assert stages_of(row) == STAGES
        assert row["metrics"]["test/center/top1_error"] == 0.25
        assert {run["status"] for run in row["below"].values()} == {"FINISHED"}
    assert not (repository.root / "mlflow.db").exists()
