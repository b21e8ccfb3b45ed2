import contextlib
import os
import sqlite3

import pytest
from click.testing import CliRunner
from store import put_empty_store

from pipeline.cli import alexnet
from pipeline.tracking import relocation, store_problems
from tests.pipeline.commands.test_doctor import findings


@pytest.fixture
def store(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    put_empty_store(workspace.home)
    store = workspace.home / "mlflow.db"
    with contextlib.closing(sqlite3.connect(store)) as database:
        database.execute("INSERT INTO experiments (name, lifecycle_stage) VALUES ('sample', 'active')")
        database.commit()
    return store


def set_version(store, version):
    with contextlib.closing(sqlite3.connect(store)) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (version,))
        database.commit()


def told(store, *words):
    """What the problem, `doctor` and `track sync` say: the same, on one line."""
    problem = store_problems.problem(store.parent)
    assert problem is not None
    assert all(word in problem for word in words), problem
    finding = findings()["tracking"]
    assert (finding["level"], f"{finding['found']}; {finding['fix']}") == ("fail", problem)
    synced = CliRunner().invoke(alexnet, ["track", "sync"])
    assert synced.exit_code == 1
    assert problem in synced.stderr
    assert len(synced.stderr.splitlines()) == 1


def test_a_store_of_this_mlflow_is_none_and_so_is_one_that_is_not_there(store, tmp_path):
    assert store_problems.problem(store.parent) is None
    assert store_problems.problem(tmp_path) is None
    assert findings()["tracking"]["level"] == "ok"


def test_a_store_of_an_older_mlflow_is_brought_up_to_date(store):
    known, newest = store_problems._revisions()
    set_version(store, next(iter(known - {newest})))
    told(
        store,
        "written by an older MLflow",
        f"mlflow db upgrade sqlite:///{store}`",
        f"`cp {store} {store}.before-upgrade`",
    )


def test_a_store_that_is_being_made_is_of_no_older_mlflow(store):
    """MLflow makes it by all the steps of its history, and the first experiment at the end."""
    known, newest = store_problems._revisions()
    set_version(store, next(iter(known - {newest})))
    with contextlib.closing(sqlite3.connect(store)) as database:
        database.execute("DELETE FROM experiments")
        database.commit()
    assert store_problems.problem(store.parent) is None


def test_a_store_of_a_newer_mlflow_needs_that(store):
    set_version(store, "f00dfacef00d")
    told(store, "written by a newer MLflow", f"install that version, or move {store} away")


def test_a_damaged_store_is_one_sentence(store):
    store.write_bytes(b"no database" * 1000)
    told(
        store,
        "expected MLflow's database, found something else or a damaged one",
        "`alexnet track rebuild` makes another",
    )


def test_a_store_that_another_program_keeps_is_one_sentence(store, monkeypatch):
    monkeypatch.setattr(relocation, "_LOCK_SECONDS", 0.1)
    with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        told(
            store,
            "cannot be used (database is locked)",
            "try again when the program that has it, for example a backup, has ended",
        )
    assert store_problems.problem(store.parent) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_store_of_another_user_is_not_said_to_be_in_use(store):
    store.chmod(0)
    told(store, "cannot be used (unable to open database file)", "see its permissions")
