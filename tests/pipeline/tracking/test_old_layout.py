"""A store in which earlier versions put all runs into one experiment, and the pages of the rows there."""

import contextlib
import json
import sqlite3

import pytest
from store import read_rows, read_runs

from pipeline.tracking import old_layout
from pipeline.tracking.tracking_uri import default_store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, of SQLAlchemy
PARAMS = {"seed": "3", "download.source": "tfds:cifar10"}


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """The store after the move, with what was there before it."""
    home = tmp_path_factory.mktemp("old")
    store = default_store(home)
    assert store is not None
    assert old_layout.move(home) == 0, "there is no store yet"
    from mlflow.tracking import MlflowClient

    from pipeline.tracking import mlflow_entities as entities

    client = MlflowClient(f"sqlite:///{store}")
    old = client.create_experiment("alexnet", artifact_location=(home / "mlruns").as_uri())

    def run(name, source, **tags):
        made = client.create_run(old, run_name=name, tags={key.replace("__", "."): word for key, word in tags.items()})
        client.log_batch(made.info.run_id, params=entities.params(PARAMS | {"download.source": source}))
        entry = {"name": f"{source}/dataset", "digest": "d", "path": "data/dataset", "context": "train"}
        client.log_inputs(made.info.run_id, [entities.dataset_input(entry)])
        return made.info.run_id

    row = run("optimized cifar10", "tfds:cifar10", alexnet__row="k1", alexnet__variant="optimized")
    child = run("export@optimized", "tfds:cifar10", mlflow__parentRunId=row, dvc__stage="export@optimized")
    run("mine", "sample", alexnet__row="k2", alexnet__variant="faithful")
    result = {"alexnet__row": "k3", "alexnet__variant": "faithful", "alexnet__result": "results/imagenette/f.json"}
    run("faithful image_folder", "image_folder", **result)
    run("a notebook's", "sample")
    client.create_logged_model(old, name="net", source_run_id=child, params={"a": "1"}, tags={"b": "2"})
    before = read_runs(home)
    assert old_layout.rows_left(home) == 3
    assert old_layout._move(home, store) == 3
    return home, before


def select(home, query):
    with contextlib.closing(sqlite3.connect(home / "mlflow.db")) as database:
        return database.execute(query).fetchall()


def test_each_run_is_in_the_experiment_of_its_data_set_and_what_is_not_ours_stays(moved):
    home, _ = moved
    found = select(home, "select e.name, r.name from runs r join experiments e using (experiment_id) order by 1, 2")
    assert found == [
        ("alexnet", "a notebook's"),
        ("alexnet/cifar10", "export@optimized"),
        ("alexnet/cifar10", "optimized seed 3"),
        ("alexnet/imagenette", "faithful seed 3"),
        ("alexnet/sample", "mine"),
    ]
    assert select(home, "select lifecycle_stage from experiments where name = 'alexnet'") == [("active",)]
    models = "select distinct name from experiments where experiment_id in (select experiment_id from {})"
    for table in ("logged_models", "logged_model_params", "logged_model_tags"):
        assert select(home, models.format(table)) == [("alexnet/cifar10",)], table


def test_data_sets_numbers_and_parents_are_as_before(moved):
    home, before = moved
    after = {run["id"]: run for run in read_runs(home)}
    assert len(after) == len(before) == 5
    for run in before:
        assert after[run["id"]]["params"] == run["params"]
        assert after[run["id"]]["digests"] == run["digests"] != {}
        assert run["tags"].items() - after[run["id"]]["tags"].items() <= {("mlflow.runName", run["name"])}
    strays = select(
        home,
        "select count(*) from inputs i join datasets d on d.dataset_uuid = i.source_id "
        "join runs r on r.run_uuid = i.destination_id where d.experiment_id != r.experiment_id",
    )
    assert strays == [(0,)]


def test_there_is_a_backup_and_nothing_left_to_move(moved):
    home, _ = moved
    with contextlib.closing(sqlite3.connect(home / old_layout.BACKUP)) as backup:
        assert backup.execute("select distinct experiment_id from runs").fetchall() == [(1,)]
    assert old_layout.move(home) == 0


def test_a_row_gets_its_files_and_a_description_that_an_edit_keeps(moved, monkeypatch):
    home, _ = moved
    from pipeline.tracking.mlflow_client import Runs
    from pipeline.tracking.mlflow_writer import MlflowWriter

    (home / "report.html").write_text("<p>")
    stage = {"stage": "evaluate@optimized", "fingerprint": "f", "outs": {"dvc.out.a": "1"}}
    stage["metrics"] = {"cost/evaluate_seconds": 1.23456789, "test/ten_crop/top1_error": 0.06699999999999995}
    stage["remake"] = {"time": 5, "params": {}, "tags": {"dvc.stage": stage["stage"]}, "curves": [], "reports": []}
    stage["remake"]["cost"] = {}
    tags = {"alexnet.experiment": "cifar10", "alexnet.changes": "seed=3", "alexnet.command": "alexnet use cifar10"}
    row = {"variant": "optimized", "key": "k4", "pipeline": "", "params": PARAMS, "state": "s", "datasets": []}
    row |= {"tags": tags | {"mlflow.source.git.branch": "HEAD"}, "standing": [stage]}
    row |= {"state_tags": {"alexnet.state": "s"}, "files": [[str(home / "report.html"), ""], ["/gone", ""]]}

    def take(**state):
        row["state_tags"] |= state
        MlflowWriter(runs).take([json.loads(json.dumps({"event": "standing", "time": 9, "rows": [row]}))], home)
        return next(each for each in read_rows(home) if each["tags"].get("alexnet.row") == "k4")

    runs = Runs(f"sqlite:///{home}/mlflow.db", home)
    made = take()
    assert made["name"] == "optimized seed 3"
    assert made["metrics"] == {"cost/evaluate_seconds": 1.23457, "test/ten_crop/top1_error": 0.067}
    assert "mlflow.source.git.branch" not in made["tags"], "HEAD is no branch"
    assert (home / "mlruns" / made["id"] / "artifacts/report.html").is_file()
    assert "top-1 6.70 %" in made["tags"]["mlflow.note.content"]
    runs.client.set_tag(made["id"], "mlflow.note.content", "my words")
    again = take(**{"alexnet.result": "results/cifar10/r.json"})
    assert again["id"] == made["id"]
    assert again["tags"]["mlflow.note.content"] == "my words"

    runs = Runs(f"sqlite:///{home}/mlflow.db", home)
    assert runs.results == {"results/cifar10/r.json"}
    for call in ("log_batch", "log_inputs", "create_run"):  # a result that is there costs none
        monkeypatch.setattr(runs.client, call, None)
    take()
