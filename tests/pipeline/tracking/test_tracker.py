"""Runs stub stages with the real sending process and looks into MLflow's database with plain SQL."""

import contextlib
import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from functools import partial

import pytest
from store import put_empty_store, read_rows, read_runs
from stub_stages import ROOT

from pipeline.config.load import load
from pipeline.environment import processes
from pipeline.runner import run_stage
from pipeline.tracking import mlflow_entities, spool, tracker
from pipeline.tracking.tracker import open_tracker

CHAIN = [
    ("download", ""),
    ("validate", ""),
    ("preprocess", "large"),
    ("statistics", "large"),
    ("train", "faithful"),
    ("evaluate", "faithful"),
]


@pytest.fixture
def said():
    return []


@pytest.fixture(autouse=True)
def store(workspace):
    put_empty_store(workspace.home)


@pytest.fixture
def one_pipeline_run(monkeypatch):
    """Make what this process records one pipeline run, as below one `dvc repro`."""
    processes.pipeline_key.cache_clear()
    monkeypatch.setenv("DVC_EXP_NAME", "first")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "0123456789abcdef")
    yield
    processes.pipeline_key.cache_clear()


def test_a_variant_is_one_row_with_its_stages_below(workspace, said, one_pipeline_run, monkeypatch):
    for stage, key in CHAIN:
        _run(workspace, stage, key, said, recorded=stage in ("download", "train", "evaluate"), send=False)
    # Another pipeline run in which only `evaluate` is out of date.
    processes.pipeline_key.cache_clear()
    monkeypatch.setenv("DVC_EXP_NAME", "second")
    _run(workspace, "evaluate", "faithful", said, send=False)
    killed = workspace.scratch / "spool" / "0-killed"
    shutil.copytree(next((workspace.scratch / "spool").glob("*-download-*")), killed)
    lines = (killed / "events.jsonl").read_text().splitlines()
    start = json.loads(lines[0]) | {"run": "killed", "writer": [2**22, 0.0]}
    (killed / "events.jsonl").write_text(json.dumps(start) + "\n" + lines[1] + "\n" + lines[2][:9])
    _send(workspace)
    assert said == []
    assert list((workspace.scratch / "spool").iterdir()) == []

    runs = read_runs(workspace.root)
    rows = sorted((run for run in runs if "mlflow.parentRunId" not in run["tags"]), key=lambda run: run["start"])
    assert [row["name"] for row in rows].count("optimized first seed 2012") == 1
    row, second = (row for row in rows if row["name"].startswith("faithful first"))
    below = [run["name"] for run in runs if run["tags"].get("mlflow.parentRunId") == row["id"]]
    assert sorted(below) == ["download", "download", "evaluate@faithful", "train@faithful"]
    assert sorted(run["status"] for run in runs if run["name"] == "download") == ["FINISHED"] * 2 + ["KILLED"] * 2
    assert row["params"]["network.lrn_alpha"] == "2e-05"
    assert row["params"]["seed"] == "2012"
    assert row["metrics"]["test/center/top1_error"] == 0.25
    assert row["metrics"]["train/best_epoch"] == 2
    assert row["metrics"]["train/loss"] == 1.0
    assert row["metrics"]["cost/seconds_per_epoch"] == 0.5
    assert row["status"] == "FINISHED"
    assert "skipped.preprocess" not in row["tags"], "no run of it is on record"

    train = next(run for run in runs if run["name"] == "train@faithful")
    assert train["points"]["train/loss"] == [(1, 2.0), (2, 1.0)]
    assert train["params"]["training.epochs"] == "12"
    assert train["tags"]["devices"] == "CPU:0"
    for run in (row, train):
        assert (run["tags"]["dvc.exp_name"], run["tags"]["dvc.baseline_rev"]) == ("first", "0123456789abcdef")
    assert len(train["tags"]["alexnet.fingerprint"]) == 64
    assert "version.tensorflow" in train["tags"]
    assert train["datasets"] == ["sample/records/large"]
    assert (workspace.root / "mlruns" / train["id"] / "artifacts/reports/metrics.json").is_file()

    assert second["tags"]["skipped.train"] == train["id"]
    assert second["metrics"]["train/best_epoch"] == 2
    assert second["metrics"]["cost/seconds_per_epoch"] == 0.5
    assert second["points"]["train/loss"] == [(1, 2.0), (2, 1.0)]


def test_a_run_is_sent_while_the_stage_runs(workspace, said, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "ours")
    _run(workspace, "download", "", said)
    assert said == []
    rows = read_rows(workspace.root)
    assert [row["status"] for row in rows] == ["SCHEDULED"] * 2, "nothing is trained yet"
    assert [row["below"]["download"]["status"] for row in rows] == ["FINISHED"] * 2
    assert {run["experiment"] for row in rows for run in (row, *row["runs"])} == {"ours/sample"}


def test_a_dead_server_never_fails_a_stage(workspace, said, free_port, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port}")
    _run(workspace, "download", "", said)
    assert (workspace.root / "data/dataset").is_dir()
    assert len(said) == 1
    assert "does not answer" in said[0]
    assert ".alexnet/spool/" in said[0]
    (folder,) = (workspace.scratch / "spool").iterdir()
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == ["start", "metrics", "metrics", "metrics", "tags", "end"]
    assert events[0]["stage"]["params"]["source"] == "sample"
    assert {row["variant"] for row in events[0]["rows"]} == {"faithful", "optimized"}


def test_a_failed_stage_is_recorded_as_failed(workspace, said, monkeypatch):
    def broken(inputs, outputs, params, runtime):
        raise ValueError("a bug")

    monkeypatch.setattr(sys.modules["components.download"], "run", broken)
    with pytest.raises(ValueError, match="a bug"):
        _run(workspace, "download", "", said, send=False)
    (folder,) = (workspace.scratch / "spool").iterdir()
    assert json.loads((folder / "events.jsonl").read_text().splitlines()[-1])["status"] == "FAILED"


def test_a_spool_that_cannot_be_written_stops_the_recording_alone(workspace, said):
    workspace.scratch.mkdir()
    (workspace.scratch / "spool").write_text("in the way")
    _run(workspace, "download", "", said)
    assert (workspace.root / "data/dataset").is_dir()
    assert len(said) == 1
    assert "the stage continues" in said[0]


def test_a_tracker_that_has_given_up_copies_nothing_more(workspace, said, monkeypatch):
    """Nobody would send it, or remove it."""

    def full(folder, event):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tracker, "uncommitted_changes", lambda root: b"a patch\n")
    monkeypatch.setattr(spool, "append", full)
    _run(workspace, "download", "", said)
    stages = load(workspace.root)
    opened = open_tracker(workspace, said.append, stages.item("download", ""), stages, "f")
    for _ in range(2):
        opened.artifact(workspace.root / "params.yaml")
    assert [line.partition(" stopped: ")[2] for line in said] == ["No space left on device; the stage continues"] * 2
    assert not (workspace.scratch / "spool").exists()


def _run(workspace, stage, key, said, *, recorded=True, send=True):
    config = load(workspace.root)
    opened = partial(open_tracker, workspace, said.append, send=send) if recorded else None
    run_stage(workspace, config, config.item(stage, key), open_tracker=opened)


def _send(workspace):
    folders = sorted((workspace.scratch / "spool").iterdir())
    command = [sys.executable, "-m", "pipeline.tracking.flush", str(workspace.home), *map(str, folders)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_not_finite_never_becomes_a_number_in_mlflow():
    """It would make the largest float of infinity, and sort NaN as 0."""
    values = {"loss": float("nan"), "error": float("inf"), "low": float("-inf"), "rate": 0.5}
    assert [(metric.key, metric.value) for metric in mlflow_entities.metrics(values, 7, 3)] == [("rate", 0.5)]


def test_changes_are_kept_whole_or_not_at_all(workspace, said, monkeypatch):
    monkeypatch.setattr(tracker, "uncommitted_changes", lambda root: b"a patch\n ")
    _run(workspace, "download", "", said, send=False)
    monkeypatch.setattr(tracker, "_MAX_ARTIFACT_BYTES", 8)
    _run(workspace, "download", "", said, send=False)
    patches = list(workspace.scratch.glob("spool/*/artifacts/*/changes.patch"))
    assert [patch.read_bytes() for patch in patches] == [b"a patch\n "]
    assert ["too large to keep with the run; commit them" in line for line in said] == [True]


def test_a_row_that_was_removed_for_good_keeps_nothing_from_being_sent(workspace, said, one_pipeline_run, monkeypatch):
    """`mlflow gc` takes a row and leaves its stages, which are then found as those that made the outputs."""
    for stage, key in CHAIN:
        _run(workspace, stage, key, said, send=False)
    _send(workspace)
    (row,) = (each for each in read_rows(workspace.home) if each["variant"] == "faithful")
    with contextlib.closing(sqlite3.connect(workspace.home / "mlflow.db")) as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if "run_uuid" in {each[1] for each in database.execute(f"PRAGMA table_info({table})")}:
                database.execute(f"DELETE FROM {table} WHERE run_uuid = ?", (row["id"],))
        database.commit()
    processes.pipeline_key.cache_clear()
    monkeypatch.setenv("DVC_EXP_NAME", "second")
    _run(workspace, "evaluate", "faithful", said, send=False)
    _send(workspace)
    tagged = "SELECT run_uuid FROM tags WHERE key = ?"
    with contextlib.closing(sqlite3.connect(workspace.home / "mlflow.db")) as database:
        rows, of_variant = (
            {run for (run,) in database.execute(words, values)}
            for words, values in (
                (tagged, ("alexnet.row",)),
                (f"{tagged} AND value = ?", ("alexnet.variant", "faithful")),
            )
        )
    (new,) = rows & of_variant
    assert new != row["id"]
