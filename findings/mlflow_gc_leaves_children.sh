#!/usr/bin/env bash
# mlflow-skinny==3.17.2 (mlflow's client code and stores), sqlalchemy==2.1.9, alembic==1.20.1
#
# Behaviour: deleting a parent run leaves its child runs active, and `mlflow gc` of the parent leaves them
# for good. Searches find them, also by their tag mlflow.parentRunId, which now names a run that
# get_run does not know.
#
# One would guess: child runs go with their parent, as nested runs are shown as one thing and the database
# removes metrics, parameters and tags of a run with it; or `gc` refuses or clears the tag.
#
# Why it matters: folds, seeds or stages are logged as children. After a clean-up of old parents, code that
# goes from a child to its parent fails with RESOURCE_DOES_NOT_EXIST, and "best run" searches still
# return children of runs that were thrown away. Delete children first, and take a missing parent for
# an ordinary case.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q mlflow-skinny==3.17.2 sqlalchemy==2.1.9 alembic==1.20.1 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >children.py <<'PY'
import logging
import subprocess
import sys

logging.disable(logging.INFO)
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

WANT = {"deleted": ("deleted", "active", 1), "collected": ("RESOURCE_DOES_NOT_EXIST", "active", 1)}
URI = "sqlite:///runs.db"
client = MlflowClient(URI)
experiment = client.create_experiment("training", artifact_location="artifacts")
parent = client.create_run(experiment).info.run_id
child = client.create_run(experiment, tags={"mlflow.parentRunId": parent}).info.run_id
seen = {}


def state(run):
    try:
        return client.get_run(run).info.lifecycle_stage
    except MlflowException as error:
        return error.error_code


def look(label):
    found = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'")
    seen[label] = (state(parent), state(child), len(found))
    print(f"{label}: the parent is {seen[label][0]}, its child is {seen[label][1]}, a search finds {len(found)}")


client.delete_run(parent)
look("deleted")
collect = [sys.executable, "-W", "ignore", "-m", "mlflow", "gc", "--run-ids", parent]
done = subprocess.run([*collect, "--backend-store-uri", URI, "--tracking-uri", URI], capture_output=True, text=True)
if done.returncode:
    raise SystemExit(done.stdout + done.stderr)
look("collected")
raise SystemExit(0 if seen == WANT else f"changed: {seen}, expected {WANT}")
PY
venv/bin/python -W ignore children.py
