"""Moves runs from the one experiment of earlier versions to those of their data sets.

MLflow cannot move a run, so this corrects the database of the repository, in one transaction and after a backup. On a
server old runs stay where they are; they are found and continued there all the same.
"""

import contextlib
import json
import sqlite3
import sys
from collections.abc import Mapping
from pathlib import Path

from alexnet_tf.errors import AlexNetError
from pipeline.environment.processes import run_module
from pipeline.tracking import origins
from pipeline.tracking.relocation import opened
from pipeline.tracking.tracking_uri import default_store, experiment_name

BACKUP = "mlflow.db.before-move"
_ROWS = """
    SELECT runs.run_uuid, runs.experiment_id FROM runs JOIN experiments USING (experiment_id) JOIN tags USING (run_uuid)
    WHERE experiments.name = ? AND tags.key = 'alexnet.row'"""
# `moved` holds each run, the experiment that it had and the one that it gets.
_MOVE = """
    INSERT INTO moved SELECT tags.run_uuid, old, new FROM tags JOIN moved ON tags.value = moved.run
        WHERE tags.key = 'mlflow.parentRunId';
    INSERT OR IGNORE INTO datasets SELECT lower(hex(randomblob(16))), new, name, digest, dataset_source_type,
        dataset_source, dataset_schema, dataset_profile
        FROM datasets JOIN inputs ON source_id = dataset_uuid JOIN moved ON run = destination_id
        WHERE source_type = 'DATASET';
    UPDATE OR REPLACE inputs SET source_id = (
        SELECT given.dataset_uuid FROM datasets given JOIN datasets had USING (name, digest)
            JOIN moved ON given.experiment_id = new
            WHERE run = destination_id AND had.dataset_uuid = source_id)
        WHERE source_type = 'DATASET' AND destination_id IN (SELECT run FROM moved);
    UPDATE runs SET experiment_id = (SELECT new FROM moved WHERE run = run_uuid)
        WHERE run_uuid IN (SELECT run FROM moved);"""
_MOVE_MODELS = """
    UPDATE {table} SET experiment_id = (SELECT new FROM moved JOIN logged_models given ON run = given.source_run_id
        WHERE given.model_id = {table}.model_id)
        WHERE model_id IN (SELECT model_id FROM logged_models JOIN moved ON run = source_run_id)"""
_MODELS = ("logged_model_metrics", "logged_model_params", "logged_model_tags", "logged_models")
_CLOSE = """
    UPDATE experiments SET lifecycle_stage = 'deleted' WHERE experiment_id IN (SELECT old FROM moved) AND NOT EXISTS (
        SELECT 1 FROM runs WHERE runs.experiment_id = experiments.experiment_id AND lifecycle_stage = 'active')"""


def rows_left(home: Path) -> int:
    """How many parent runs of the default store are still where earlier versions put them; read without MLflow."""
    store = default_store(home)
    return len(_rows(store)) if store and store.is_file() else 0


def move(home: Path) -> int:
    """Move the runs of the default store, in a process of its own, which imports MLflow; return how many parent runs.

    Raises:
        AlexNetError: It could not be done; the store is as it was.
    """
    if not rows_left(home):
        return 0
    done = run_module("pipeline.tracking.old_layout", home, cwd=home, capture_output=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise AlexNetError(f"mlflow.db: its runs could not be moved to experiments of their data sets ({said})")
    return json.loads(done.stdout)


def _rows(store: Path) -> list[tuple[str, int]]:
    with opened(store) as database:
        try:
            return database.execute(_ROWS, [experiment_name()]).fetchall()
        except sqlite3.OperationalError:  # it has no runs yet
            return []


def _move(home: Path, store: Path) -> int:
    from pipeline.tracking.flush import connect

    runs = connect(home)
    with runs.locked():
        targets: list[tuple[str, int, int]] = []
        given: list[tuple[str, str, str]] = []
        for identity, old in _rows(store):
            data = runs.client.get_run(identity).data
            tags = _tags(data.tags, data.params)
            targets.append((identity, old, int(runs.experiment(tags[origins.DATA_SET]))))
            given += [(name, word, identity) for name, word in tags.items()]
        _back_up(store)
        with opened(store) as database:
            database.execute("CREATE TEMP TABLE moved (run TEXT PRIMARY KEY, old INTEGER, new INTEGER)")
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO moved VALUES (?, ?, ?)", targets)
            for statement in (*_MOVE.split(";")[:-1], *(_MOVE_MODELS.format(table=name) for name in _MODELS), _CLOSE):
                database.execute(statement)
            database.executemany("INSERT OR REPLACE INTO tags (key, value, run_uuid) VALUES (?, ?, ?)", given)
            names = [(word, identity) for name, word, identity in given if name == "mlflow.runName"]
            database.executemany("UPDATE runs SET name = ? WHERE run_uuid = ?", names)
            database.execute("COMMIT")
    return len(targets)


def _tags(tags: Mapping[str, str], params: Mapping[str, str]) -> dict[str, str]:
    """Tags that a row gets: its data set and, unless somebody has renamed it, its name."""
    _, _, result = tags.get("alexnet.result", "").partition("/")
    experiment = tags.get(origins.EXPERIMENT) or result.partition("/")[0]
    own = {origins.DATA_SET: origins.data_set(params, experiment)}
    variant = tags["alexnet.variant"]
    if tags.get("mlflow.runName") == origins.earlier_name(variant, params):
        own["mlflow.runName"] = origins.row_name(variant, tags, params)
    return own


def main() -> None:
    """Move the runs of the folder that the command line names."""
    home = Path(sys.argv[1])
    store = default_store(home)
    print(json.dumps(_move(home, store) if store else 0))


if __name__ == "__main__":
    main()


def _back_up(store: Path) -> None:
    """Copy the store, unless a move before this one has left a copy: that has what neither has changed."""
    copy = store.with_name(BACKUP)
    if copy.exists():
        return
    partial = copy.with_name(f".{copy.name}.partial")
    with opened(store) as database, contextlib.closing(sqlite3.connect(partial)) as backup:
        database.backup(backup)
    partial.replace(copy)
