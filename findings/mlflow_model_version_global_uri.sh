#!/usr/bin/env bash
# mlflow-skinny==3.17.2 (mlflow's client code and stores), sqlalchemy==2.1.9, alembic==1.20.1
#
# Behaviour: MlflowClient(tracking_uri=...).create_model_version(..., model_id=...) without a run_id, on
# a registry in a database, looks the logged model up in the process's global tracking URI and not in
# the client's. The same client's get_logged_model finds the model; create_model_version does not.
# With a source of the form models:/<model id> it is the same.
#
# One would guess: a client that was given its own tracking URI uses that one for every call.
#
# Why it matters: promoting a model from one tracking database while the process points at another (a
# migration, a test, a service with a client for each tenant) fails with "not found" for a model that
# is there. mlflow.set_tracking_uri with the client's URI before the call makes it work.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q mlflow-skinny==3.17.2 sqlalchemy==2.1.9 alembic==1.20.1 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >register.py <<'PY'
import logging

logging.disable(logging.INFO)
import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

WANT = {
    "get_logged_model, global elsewhere": "found",
    "model_id, global elsewhere": "not found",
    "models:/ source, global elsewhere": "not found",
    "model_id, global the same": "found",
    "models:/ source, global the same": "found",
}

client = MlflowClient(tracking_uri="sqlite:///mine.db")
experiment = client.create_experiment("training", artifact_location="artifacts")
model = client.create_logged_model(experiment, name="alexnet")
client.create_registered_model("alexnet")
seen = {}


def attempt(label, call):
    try:
        call()
        seen[label] = "found"
    except MlflowException as error:
        seen[label] = "not found" if "not found" in str(error) else str(error)
    print(f"{label}: {seen[label]}")


def versions(where):
    attempt(
        f"model_id, {where}",
        lambda: client.create_model_version("alexnet", model.artifact_location, model_id=model.model_id),
    )
    attempt(
        f"models:/ source, {where}",
        lambda: client.create_model_version("alexnet", f"models:/{model.model_id}"),
    )


mlflow.set_tracking_uri("sqlite:///other.db")
attempt("get_logged_model, global elsewhere", lambda: client.get_logged_model(model.model_id))
versions("global elsewhere")
mlflow.set_tracking_uri("sqlite:///mine.db")
versions("global the same")
raise SystemExit(0 if seen == WANT else f"changed: {seen}, expected {WANT}")
PY
venv/bin/python -W ignore register.py
