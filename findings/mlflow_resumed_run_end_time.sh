#!/usr/bin/env bash
# mlflow-skinny==3.17.2 (mlflow's client code and stores), sqlalchemy==2.1.9, alembic==1.20.1
#
# Behaviour: a run that has ended and is set back to RUNNING keeps its old end time, whichever way it
# is set back: MlflowClient.update_run(status="RUNNING"), mlflow.start_run(run_id=...), or
# set_terminated(status="RUNNING"), where an end time of None or 0 is replaced by the present moment.
#
# One would guess: a running run has no end time, as when it was created; or None clears it.
#
# Why it matters: a resumed training run is RUNNING and ended at once. Dashboards and clean-up jobs that
# compute a duration, or look for runs without an end time, take a run in progress for a finished one.
# Decide by the status, never by the end time.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q mlflow-skinny==3.17.2 sqlalchemy==2.1.9 alembic==1.20.1 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >resume.py <<'PY'
import logging

logging.disable(logging.INFO)
import mlflow
from mlflow import MlflowClient

WANT = {
    "created": ("RUNNING", "none"),
    "ended": ("FINISHED", "set"),
    "update_run": ("RUNNING", "kept"),
    "start_run": ("RUNNING", "kept"),
    "set_terminated, None": ("RUNNING", "now"),
    "set_terminated, 0": ("RUNNING", "now"),
}
ENDED = 1_700_000_000_000  # milliseconds, a moment in 2023

mlflow.set_tracking_uri("sqlite:///runs.db")
client = MlflowClient()
run = client.create_run(client.create_experiment("training", artifact_location="artifacts"), start_time=ENDED - 1000)
run = run.info.run_id
seen = {}


def look(label):
    info = client.get_run(run).info
    end = "none" if info.end_time is None else "now" if info.end_time > ENDED else "kept" if "ended" in seen else "set"
    seen[label] = (info.status, end)
    print(f"{label}: status {info.status}, end time {end}")


def end():
    client.set_terminated(run, end_time=ENDED)


look("created")
end()
look("ended")
client.update_run(run, status="RUNNING")
look("update_run")
end()
with mlflow.start_run(run_id=run):
    look("start_run")
for value in (None, 0):
    end()
    client.set_terminated(run, status="RUNNING", end_time=value)
    look(f"set_terminated, {value}")
raise SystemExit(0 if seen == WANT else f"changed: {seen}, expected {WANT}")
PY
venv/bin/python -W ignore resume.py
