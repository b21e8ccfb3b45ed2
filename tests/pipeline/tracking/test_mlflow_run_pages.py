import json

import pytest
from store import put_empty_store, read_rows

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, of SQLAlchemy


def test_a_row_gets_its_files_and_a_description_that_an_edit_keeps(tmp_path, monkeypatch):
    home = tmp_path
    put_empty_store(home)
    from pipeline.tracking.mlflow_client import Runs
    from pipeline.tracking.mlflow_writer import MlflowWriter

    (home / "report.html").write_text("<p>")
    stage = {"stage": "evaluate@optimized", "fingerprint": "f", "outs": {"dvc.out.a": "1"}}
    stage["metrics"] = {"cost/evaluate_seconds": 1.23456789, "test/ten_crop/top1_error": 0.06699999999999995}
    stage["remake"] = {"time": 5, "params": {}, "tags": {"dvc.stage": stage["stage"]}, "curves": [], "reports": []}
    stage["remake"]["cost"] = {}
    tags = {"alexnet.experiment": "cifar10", "alexnet.changes": "seed=3", "alexnet.command": "alexnet use cifar10"}
    row = {
        "variant": "optimized",
        "key": "k4",
        "pipeline": "",
        "params": {"seed": "3", "download.source": "tfds:cifar10"},
        "state": "s",
        "datasets": [],
    }
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
