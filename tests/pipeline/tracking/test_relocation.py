"""A clone that was moved or copied: what MLflow no longer finds, and the command that mends it."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys

import pytest
from store import put_empty_store, read_rows
from stub_stages import ROOT, make_repository

from pipeline.tracking import relocation, spool

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, of SQLAlchemy
REGISTER = """
from pathlib import Path
from pipeline.tracking.mlflow_client import Runs
home = Path.cwd()
runs = Runs(f"sqlite:///{home}/mlflow.db", home)
model = runs.client.create_logged_model(runs.experiment("sample"), name="net")
runs.client.finalize_logged_model(model.model_id, "READY")
runs.client.create_registered_model("net")
runs.client.create_model_version("net", model.artifact_location, model_id=model.model_id)
other = runs.client.create_experiment("theirs", artifact_location=(home.parent / "theirs").as_uri())
runs.client.create_run(other)
"""


def alexnet(folder, *arguments, code=0):
    command = [sys.executable, "-m", "pipeline", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def python(folder, text):
    command = [sys.executable, "-c", text]
    uri = f"sqlite:///{folder}/mlflow.db"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": uri}
    return subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def listed(folder):
    """Run -> names of its artifacts, as MLflow lists them; only those of a run that has any."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    runs = client.search_runs([each.experiment_id for each in client.search_experiments()])
    found = {run.info.run_id: [file.path for file in client.list_artifacts(run.info.run_id)] for run in runs}
    return {run: names for run, names in found.items() if names}


def places(folder):
    """Every place that the database names."""
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as database:
        return [
            place
            for table, column in relocation._PLACES
            for (place,) in database.execute(f"select {column} from {table}")
            if place
        ]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store with the run of one stage, its artifacts, a model and an experiment of somebody else's."""
    folder = make_repository(tmp_path_factory.mktemp("a clone") / "former")
    put_empty_store(folder)
    for stage in ("download", "validate"):
        alexnet(folder, stage)
    python(folder, REGISTER)
    return folder


@pytest.fixture
def moved(made, tmp_path):
    """The same, in another folder, and gone from the first."""
    shutil.copytree(made, tmp_path / "kept")
    made.rename(tmp_path / "présent")
    yield tmp_path / "présent"
    shutil.rmtree(tmp_path / "présent")
    (tmp_path / "kept").rename(made)


def test_a_moved_clone_says_what_is_wrong_and_the_command_mends_it(moved, made):
    assert listed(moved) == {}
    assert "if this folder was moved, `alexnet track relocate` corrects it" in alexnet(moved, "validate")
    assert not made.exists(), "nothing is written where it was"
    assert len(spool.waiting(moved / ".alexnet")) == 1
    doctor = {each["name"]: each for each in json.loads(alexnet(moved, "doctor", "--json", code=1))}
    assert doctor["artifacts"]["level"] == "warn"
    assert doctor["artifacts"]["fix"] == "alexnet track relocate"
    refused = alexnet(moved, "track", "sync", code=1)
    assert "alexnet track relocate" in refused
    assert "Start the server" not in refused

    before = places(moved)
    theirs = [place for place in before if "theirs" in place]
    assert len(theirs) == 2
    said = alexnet(moved, "track", "relocate")
    assert "backup: mlflow.db.before-relocate" in said
    with contextlib.closing(sqlite3.connect(moved / "mlflow.db.before-relocate")) as backup:
        assert backup.execute("select count(*) from runs").fetchone()[0] > 0
        assert (
            str(made.name) in backup.execute("select max(artifact_uri) from runs where experiment_id = 1").fetchone()[0]
        )
    after = places(moved)
    assert not [place for place in after if "/former/" in place]
    assert [place for place in after if "theirs" in place] == theirs
    assert len([place for place in after if "/pr%C3%A9sent/mlruns/models/m-" in place]) == 3
    assert spool.waiting(moved / ".alexnet") == []
    rows = {row["variant"]: row for row in read_rows(moved)}
    assert [run["name"] for run in rows["faithful"]["runs"]] == ["download", "validate", "validate"]
    assert list(listed(moved).values()) == [["reports"]] * 2, "the first run's and the one's that had to wait"
    assert "nothing was changed" in alexnet(moved, "track", "relocate")
    doctor = {each["name"]: each for each in json.loads(alexnet(moved, "doctor", "--json", code=1))}
    assert doctor["artifacts"]["level"] == "ok"


def test_a_copy_keeps_its_own_from_then_on_and_what_only_the_first_has_is_left_to_it(made, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(made, copy)
    assert relocation.problem(copy) is None, "what it names is there"
    found = relocation.astray(copy)
    assert found == (made, False)
    only_there = next((copy / "mlruns").glob("*/artifacts")).parent
    shutil.rmtree(only_there)
    relocation.relocate(copy)
    named = [place for place in places(copy) if "/former/" in place]
    assert len(named) == 1
    assert only_there.name in named[0]
    assert relocation.astray(copy) is None
    assert len(listed(copy)) == len(listed(made)), "every artifact is found"


def test_another_store_and_a_missing_one_are_left_alone(tmp_path, monkeypatch):
    with pytest.raises(relocation.AlexNetError, match="does not exist"):
        relocation.relocate(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert relocation.astray(tmp_path) is None
    with pytest.raises(relocation.AlexNetError, match="unset it"):
        relocation.relocate(tmp_path)
