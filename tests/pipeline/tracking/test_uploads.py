"""Rows are whole after a queued sweep, and after a repro whose tracking server was killed half-way.

Of one pipeline run, and of one spool folder, one process at a time is the uploader, and none where there are no locks.
"""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from dvc_repository import Repository
from store import read_rows
from waiting import wait_until

from alexnet_tf.errors import DataError
from pipeline.environment import processes
from pipeline.environment.lock import NoLocksError, try_lock
from pipeline.environment.workspace import Workspace
from pipeline.tracking import spool, spool_reader, uploader, uploads
from pipeline.tracking.spool_reader import SpoolReader
from tests.ports import await_mlflow

ENDED = (os.getpid(), 0.0)
"""A process that is gone: its number belongs to one that began later."""
STAGES = {"download", "validate", "preprocess", "statistics", "train", "evaluate", "compare", "export"}


def stages_of(row) -> set[str]:
    """The stages that a row holds or links."""
    linked = {tag.removeprefix("skipped.") for tag in row["tags"] if tag.startswith("skipped.")}
    return linked | {name.partition("@")[0] for name in row["below"]}


@pytest.mark.slow
@pytest.mark.timeout(900)
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
        await_mlflow(free_port, process)
        return process

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
        wait_until((repository.root / "reports/train/faithful").exists, 300)
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


def test_a_second_uploader_ends_at_once(tmp_path):
    with uploads.held(tmp_path, "run", ENDED) as first, uploads.held(tmp_path, "run", ENDED) as second:
        assert (first, second) == (True, False)
        assert not uploads.wait(tmp_path, 0.0)
    assert uploads.wait(tmp_path, 0.0)
    assert list((tmp_path / ".alexnet/uploads").iterdir()) == []


def test_an_uploader_is_not_waited_for_while_its_pipeline_runs(tmp_path):
    """`alexnet ui` beside a training: the uploader is there until `dvc` ends."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as running:
        process, started = processes.writer(running.pid)
        with uploads.held(tmp_path, "run", (int(process), started)):
            began = time.monotonic()
            assert not uploads.wait(tmp_path, 60)
            assert time.monotonic() - began < 30
            running.communicate(b"\n")
            assert not uploads.wait(tmp_path, 0.5)  # now it will end soon
    assert uploads.wait(tmp_path, 0)


def test_an_uploader_does_not_take_the_lock_file_that_another_one_removed(tmp_path, monkeypatch):
    """Between its opening and its lock, the first one ends, and a third one begins with a file of its own."""
    path, flock, found = tmp_path / ".alexnet/uploads/run.lock", fcntl.flock, []

    def late(file, how):
        found.append(path.stat().st_ino)
        if len(found) == 1:
            path.rename(path.with_name("removed"))
            path.touch()
        return flock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with uploads.held(tmp_path, "run", ENDED) as held:
        assert held
        assert not uploads.wait(tmp_path, 0.0), "the file at the path is not the one that is locked"
    assert len(set(found)) == 2


@pytest.fixture
def no_locks(monkeypatch):
    """A file system as Lustre without the mount option `flock`."""

    def refuse(file, how):
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_without_locks_nothing_is_uploaded_and_the_stage_hears_why(tmp_path, no_locks, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["uploader", *map(str, (tmp_path, tmp_path, "hand", "run", os.getpid(), 0.0))])
    monkeypatch.setattr(uploader, "Uploader", lambda *_: pytest.fail("it began without the lock"))
    uploader.main()
    told = uploads.problem(tmp_path, "run")
    assert told is not None
    assert told.startswith(f"{tmp_path}/.alexnet/uploads/run.lock: the file system has no locks (")
    assert "work on a disk that has them" in told
    assert len(told.splitlines()) == 1
    assert uploads.wait(tmp_path, 0.0), "no uploader works here, so nobody waits for one"


def test_what_else_stops_an_uploader_is_told_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["uploader", *map(str, (tmp_path, tmp_path, "hand", "run", os.getpid(), 0.0))])

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    uploads.problem_file(tmp_path, "run").parent.mkdir(parents=True)
    monkeypatch.setattr(uploader, "held", full)
    uploader.main()
    assert "the upload stopped: the disk is full (" in str(uploads.problem(tmp_path, "run"))


def test_a_spool_folder_is_taken_by_one_process_and_without_locks_by_none(tmp_path, monkeypatch):
    spool.append(tmp_path / "one", {"event": "start"})
    first, second = (SpoolReader(tmp_path / "one", None) for _ in range(2))  # type: ignore[arg-type]
    assert first.claim()
    assert not second.claim()
    first.release()

    def refuse(file, how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(NoLocksError, match="has no locks"):
        second.claim()


def test_what_was_sent_is_closed_before_it_is_removed_as_nfs_keeps_open_files(tmp_path, monkeypatch):
    folder = tmp_path / "one"
    for event in ({"event": "start"}, {"event": "end", "status": "FINISHED"}):
        spool.append(folder, event)
    monkeypatch.setattr(spool_reader, "MlflowWriter", lambda runs: SimpleNamespace(take=lambda events, place: None))
    removed = []

    def remove(path, *, ignore_errors):
        for name in path.iterdir():
            with name.open("r+") as file:
                assert try_lock(file), "it is still open, and others may take it for one that waits"
        assert not SpoolReader(path, None).claim()  # type: ignore[arg-type]
        removed.append(path)

    monkeypatch.setattr(spool_reader.shutil, "rmtree", remove)
    reader = SpoolReader(folder, None)  # type: ignore[arg-type]
    assert reader.claim()
    assert reader.proceed()
    assert removed == [folder]
    monkeypatch.undo()
    (tmp_path / ".alexnet/spool").mkdir(parents=True)
    folder.rename(tmp_path / ".alexnet/spool/killed before it was removed")
    spool.append(tmp_path / ".alexnet/spool/other", {"event": "start"})
    spool.clear(tmp_path / ".alexnet")
    assert [each.name for each in (tmp_path / ".alexnet/spool").iterdir()] == ["other"]


def test_the_uploader_runs_the_code_of_its_clone_which_outlives_the_copy_of_an_experiment(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(uploads, "start_module", lambda *_, **options: started.append(options) or SimpleNamespace())
    workspace = Workspace(root=tmp_path / "copy", home=tmp_path)
    uploads.start(workspace)
    (tmp_path / "pipeline/tracking").mkdir(parents=True)
    uploads.start(workspace)
    (tmp_path / "pipeline/tracking/uploader.py").touch()
    uploads.start(workspace)
    assert [each["code"] for each in started] == [None, None, tmp_path]


@pytest.mark.parametrize("line", [b"\0\0", b"\xff", b'{"event": "sta', b"[]", b"{}"])
def test_a_damaged_record_is_one_sentence_and_its_way_out_works(tmp_path, monkeypatch, line):
    monkeypatch.setattr(spool_reader, "MlflowWriter", lambda runs: SimpleNamespace(take=lambda events, place: None))
    folder = tmp_path / "spool" / "1-train@a"
    folder.mkdir(parents=True)
    (folder / spool.EVENTS).write_bytes(line + b"\n")
    reader = SpoolReader(folder, None)  # type: ignore[arg-type]
    assert reader.claim()
    with pytest.raises(DataError, match=r"a record is damaged and cannot be sent; `rm -r .*` gives it up") as caught:
        reader.proceed()
    reader.release()
    subprocess.run(str(caught.value).split("`")[1], shell=True, check=True)
    assert not folder.exists()
