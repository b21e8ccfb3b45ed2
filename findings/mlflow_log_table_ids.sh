#!/usr/bin/env bash
# mlflow-skinny==3.17.2 (mlflow's client code and stores), sqlalchemy==2.1.9, alembic==1.20.1, pandas==3.1.1,
# pyarrow==25.0.1
#
# Behaviour: a second mlflow.log_table to a .json file rewrites the rows of the first one. Where all words of a column
# look like numbers, they become numbers: the image id "000139" becomes 139, a short hash "12e4" 120000.0, ids of 20
# digits lose their last ones and are equal, and the word "nan" is empty. load_table does the same to what it reads.
# Floats keep ten decimals only, already in the first call, so 1e-12 is 0. A .parquet file keeps everything.
#
# One would guess: log_table appends, as its documentation says, so rows that are there stay as they are; and words come
# back as words, since JSON can tell "000139" from 139.
#
# Why it matters: predictions are logged batch by batch during an evaluation, with an id per image. In the artifact the
# ids of all batches but the last are no longer those of the images, and do not join with the labels, or two images
# have become one. It depends on the data: one id with a letter among them keeps all. Log to .parquet.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q mlflow-skinny==3.17.2 sqlalchemy==2.1.9 alembic==1.20.1 pandas==3.1.1 pyarrow==25.0.1 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >table.py <<'PY'
import json
import logging

logging.disable(logging.INFO)
import mlflow
import pandas as pd

FIRST = {
    "id": ["000139", "000285"],
    "hash": ["12e4", "3e10"],
    "key": ["12345678901234567891", "12345678901234567892"],
    "word": ["nan", "7"],
    "mixed": ["000139", "n01440764"],
    "probability": [1e-12, 0.123456789012],
}
SECOND = {"id": ["000632"], "hash": ["a"], "key": ["3"], "word": ["x"], "mixed": ["4"], "probability": [0.5]}
# Columns of which a value of the first two rows is not as it was logged.
WANT = {
    "json, file after the first call": {"probability"},
    "json, loaded": {"id", "hash", "key", "word", "probability"},
    "json, file after the second call": {"id", "hash", "key", "word", "probability"},
    "parquet, loaded": set(),
    "parquet, file after the second call": set(),
}

mlflow.set_tracking_uri("sqlite:///runs.db")
mlflow.create_experiment("evaluation", artifact_location="artifacts")
mlflow.set_experiment("evaluation")
seen = {}


def show(label, table):
    rows = {name: [None if pd.isna(value) else value for value in table[name][:2]] for name in FIRST}
    seen[label] = {name for name, values in rows.items() if values != FIRST[name]}
    changed = ", ".join(f"{name} {rows[name]}" for name in rows if name in seen[label])
    print(f"{label}: {changed or 'all as it was logged'}")


def artifact(run, name):
    path = mlflow.artifacts.download_artifacts(run_id=run, artifact_path=name)
    if name.endswith(".parquet"):
        return pd.read_parquet(path).to_dict("list")
    with open(path) as file:
        stored = json.load(file)
    return {column: [row[at] for row in stored["data"]] for at, column in enumerate(stored["columns"])}


for kind in ("json", "parquet"):
    with mlflow.start_run() as active:
        run, name = active.info.run_id, f"predictions.{kind}"
        mlflow.log_table(FIRST, name)
        if kind == "json":
            show("json, file after the first call", artifact(run, name))
        show(f"{kind}, loaded", mlflow.load_table(name, run_ids=[run]).to_dict("list"))
        mlflow.log_table(SECOND, name)
        show(f"{kind}, file after the second call", artifact(run, name))
raise SystemExit(0 if seen == WANT else f"changed: {seen}, expected {WANT}")
PY
MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR=false venv/bin/python -W ignore table.py
