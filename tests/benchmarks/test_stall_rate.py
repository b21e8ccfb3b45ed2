import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from alexnet_tf.errors import TrainingError
from alexnet_tf.training.guards import LossRange, check_stalled
from benchmarks import pages, results, stall_rate
from benchmarks.subjects import network_of
from pipeline.config import experiments


@pytest.fixture
def file(tmp_path, monkeypatch):
    """benchmarks/results/stall_rate.csv in a folder of its own, with one row of another machine."""
    path = tmp_path / "benchmarks" / "results" / "stall_rate.csv"
    path.parent.mkdir(parents=True)
    path.write_text(f"{','.join(stall_rate.COLUMNS)},machine\npaper,,1,True,2.3,0.8,another machine\n")
    monkeypatch.setattr(results, "FOLDER", path.parent)
    monkeypatch.setattr(stall_rate, "describe", lambda: ["a machine", "its versions"])
    return path


def test_trainings_of_another_machine_keep_its_name(file):
    before = file.read_text()
    stall_rate._write(("paper", "", 2, False, 1.3, 0.3))
    assert file.read_text() == f"{before}paper,,2,False,1.3,0.3,a machine; its versions\n"


def told_at_ln_k() -> str:
    """What the guard of a long training says of one that has learnt nothing."""
    loss_range, network = LossRange(guessing=2.3026, perfect=0.0), network_of("imagenet2012", "faithful")
    with pytest.raises(TrainingError) as stopped:
        check_stalled([2.3], step=500, total_steps=1000, loss_range=loss_range, network=network)
    return f"error: {stopped.value}\n"


def test_a_training_that_its_guard_stops_has_stalled_and_is_not_run_again(file, tmp_path, monkeypatch):
    started = []

    def train(folder, variant, changes):
        started.append(folder)
        (folder / "log.txt").write_text(f"starting\n{told_at_ln_k()}")
        return SimpleNamespace(wait=lambda: 1)

    monkeypatch.setattr(stall_rate.sandbox, "train", train)
    folder = tmp_path / "training"
    outcome = stall_rate._train(folder, tmp_path, ())
    assert outcome == (True, 2.3, "")
    assert stall_rate.found(folder) == outcome
    assert started == [folder]
    stall_rate._write(("paper", "", 3, *outcome))
    table = pages.stall_rate(results.load("stall_rate")[1])
    assert table.splitlines()[-1] == "| `paper` |  | 2 of 2 | 2.30 to 2.30 | 80.0 % | 80.0, stopped |"


def test_a_training_that_ends_says_itself_whether_it_stalled_and_another_failure_is_none(tmp_path, monkeypatch):
    report = tmp_path / "reports" / "train" / "faithful"
    report.mkdir(parents=True)
    assert stall_rate.found(tmp_path) is None
    (tmp_path / "log.txt").write_text("error: out of memory\n")
    assert stall_rate.found(tmp_path) is None
    last = {"train_loss": 1.5, "validation_top1_error": 0.3}
    (report / "metrics.json").write_text(json.dumps({"stalled": False, "last": last}))
    assert stall_rate.found(tmp_path) == (False, 1.5, 0.3)


@pytest.mark.parametrize(
    ("name", "changes", "options", "message"),
    [
        ("cifar10", {}, [], "params.yaml is not experiments/sample.yaml as it is"),
        ("sample", {"download.sample.seed": 1}, [], "`alexnet use sample` and `dvc repro statistics` first"),
        ("sample", {}, ["-S", "variants.faithful.network.biass=1"], "weight_stddev, bias; did you mean bias?"),
        ("sample", {}, ["--seeds", "0"], "0 is not in the range x>=1"),
    ],
)
def test_data_of_another_experiment_and_unknown_keys_are_refused(
    name, changes, options, message, monkeypatch, sample_project
):
    monkeypatch.chdir(sample_project)
    monkeypatch.setattr(experiments, "active_name", lambda workspace: name)
    monkeypatch.setattr(experiments, "changes", lambda *_: changes)
    found = CliRunner().invoke(stall_rate.main, options)
    assert found.exit_code == 2
    assert message in " ".join(found.output.split())
