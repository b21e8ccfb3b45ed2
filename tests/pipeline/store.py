"""Reads MLflow's database with plain SQL, so that tests need not trust the code that wrote it."""

import contextlib
import functools
import sqlite3
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

_RUNS = """
    select run_uuid, runs.name, status, start_time, end_time, experiments.name
    from runs join experiments using (experiment_id)"""


def put_empty_store(home: Path) -> None:
    """Give a repository MLflow's database without rows: to make one takes MLflow seconds of migrations."""
    (home / "mlflow.db").write_bytes(_empty_store())


@functools.cache
def _empty_store() -> bytes:
    code = "from mlflow.tracking import MlflowClient; MlflowClient('sqlite:///mlflow.db').search_experiments()"
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, stderr=subprocess.DEVNULL)
        path = Path(folder) / "mlflow.db"
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            database.execute("delete from experiments")  # it names this folder; MLflow makes it anew
        return path.read_bytes()


def read_runs(home: Path) -> list[dict[str, Any]]:
    """List all runs with their tags, params, metrics, points of metrics and datasets."""
    connection = sqlite3.connect(home / "mlflow.db")
    try:
        found: dict[str, dict[str, Any]] = {}
        for row in connection.execute(_RUNS):
            identity, name, status, start, end, experiment = row
            found[identity] = {"id": identity, "name": name, "status": status, "start": start, "end": end}
            found[identity]["experiment"] = experiment
            found[identity] |= {"datasets": [], "digests": {}}
            found[identity] |= {"tags": {}, "params": {}, "metrics": {}, "points": defaultdict(list)}
        for kind in ("tags", "params"):
            for identity, key, value in connection.execute(f"select run_uuid, key, value from {kind}"):
                found[identity][kind][key] = value
        for identity, key, value in connection.execute("select run_uuid, key, value from latest_metrics"):
            found[identity]["metrics"][key] = value
        for identity, key, step, value in connection.execute(
            "select run_uuid, key, step, value from metrics order by step"
        ):
            found[identity]["points"][key].append((step, value))
        query = (
            "select i.destination_id, d.name, d.digest from inputs i join datasets d on d.dataset_uuid = i.source_id"
        )
        for identity, name, digest in connection.execute(query):
            found[identity]["datasets"].append(name)
            found[identity]["digests"][name] = digest
        return list(found.values())
    finally:
        connection.close()


def read_rows(home: Path) -> list[dict[str, Any]]:
    """List the rows, the oldest first, each with its variant and the runs below it, also by name."""
    runs = sorted(read_runs(home), key=lambda run: run["start"])
    rows = [run for run in runs if "mlflow.parentRunId" not in run["tags"]]
    for row in rows:
        row["variant"] = row["tags"].get("alexnet.variant")
        row["runs"] = [run for run in runs if run["tags"].get("mlflow.parentRunId") == row["id"]]
        row["below"] = {run["name"]: run for run in row["runs"]}
    return rows
