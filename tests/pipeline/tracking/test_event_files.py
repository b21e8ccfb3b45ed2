"""Event files are read back with TensorFlow's own reader."""

from contextlib import suppress
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.config.load import load
from pipeline.runner import SilentStageTracker, run_stage
from pipeline.tracking.event_files import EventFiles, run_folder, where
from pipeline.tracking.tracker import open_tracker

LOSSES = [2.5, 2.25, 1.1, 0.7]


def test_a_training_writes_what_it_measures_if_asked_to_and_nothing_by_default(workspace):
    said = _train(workspace)
    assert said == []
    assert not (workspace.scratch / "tensorboard").exists()
    said = _train(workspace, "runtime.tensorboard=true")
    (folder,) = (workspace.scratch / "tensorboard").glob("*/*")
    assert _read(folder) == {"train/loss": [(1, 2.0), (2, 1.0)]}, "as MLflow has it"
    assert folder.relative_to(workspace.scratch).as_posix().startswith("tensorboard/sample/faithful-seed-2012-")
    assert len(said) == 1
    assert said[0].startswith("train@faithful: event files are in .alexnet/tensorboard/sample/faithful-seed-2012-")
    spooled = list((workspace.scratch / "spool").glob("*-train@faithful-*"))
    assert len(spooled) == 2, "MLflow has both runs"


def test_a_stage_without_a_recorder_writes_none(workspace):
    """As in `alexnet verify`, reruns and the kill test."""
    config = load(workspace.root, ["runtime.tensorboard=true"])
    _prepare(workspace, config)
    run_stage(workspace, config, config.item("train", "faithful"))
    assert not (workspace.scratch / "tensorboard").exists()


def test_a_resumed_training_continues_its_curves_without_doubles(tmp_path):
    killed = _start(tmp_path)
    killed.step_metrics({"train/loss": LOSSES[:2]}, first=1)
    killed.metrics({"train/loss": 2.375, "validation/top1_error": 0.5, "perf/epoch_seconds": 3.0}, step=1)
    killed.step_metrics({"train/loss": LOSSES[2:3]}, first=3)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-5])  # killed within the last record
    resumed = _start(tmp_path)
    resumed.metrics({"train/loss": 2.375, "validation/top1_error": 0.5}, step=1)  # again, of its checkpoint
    resumed.step_metrics({"train/loss": LOSSES[1:]}, first=2)  # from a checkpoint before the end of the first epoch
    resumed.close("FINISHED", {})
    assert _read(tmp_path) == {
        "steps/train/loss": [(step, np.float32(loss)) for step, loss in enumerate(LOSSES, start=1)],
        "train/loss": [(1, 2.375)],
        "validation/top1_error": [(1, 0.5)],
        "perf/epoch_seconds": [(1, 3.0)],
    }
    anew = _start(tmp_path)
    anew.step_metrics({"train/loss": LOSSES[:1]}, first=1)
    anew.close("FINISHED", {})
    assert _read(tmp_path) == {"steps/train/loss": [(1, 2.5)]}, "from its beginning: the former curve is gone"


def test_files_that_cannot_be_written_stop_no_training(tmp_path):
    (tmp_path / "run").write_text("in the way")
    said, passed = [], []
    tracker = SimpleNamespace(
        metrics=lambda values, step: passed.append(values),
        step_metrics=lambda values, first: passed.append(values),
        close=lambda status, cost: passed.append(status),
    )
    files = EventFiles(tracker, tmp_path / "run", said.append)  # pyright: ignore[reportArgumentType]
    files.step_metrics({"train/loss": [2.0]}, first=1)
    files.metrics({"train/loss": 2.0}, step=1)
    files.close("FINISHED", {})
    assert passed == [{"train/loss": [2.0]}, {"train/loss": 2.0}, "FINISHED"]
    assert len(said) == 1
    assert said[0].endswith("; the training continues without them")


def test_a_disk_that_is_full_is_one_line(tmp_path, monkeypatch):
    import tensorflow as tf

    said = []
    files = EventFiles(SilentStageTracker(), tmp_path, said.append)
    files.step_metrics({"train/loss": [2.0]}, first=1)
    full = "{{function_node x}} events.v2; No space left on device\n\tFailed to flush 11 events\n\tCould not flush"

    def write(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, full)

    monkeypatch.setattr(tf.summary, "write", write)
    for step in (2, 3):
        files.step_metrics({"train/loss": [2.0]}, first=step)
    files.close("FINISHED", {})
    why = "cannot be written (No space left on device)"
    assert said == [f"event files in {tmp_path} {why}; the training continues without them"]


def test_a_folder_is_named_as_the_row_in_mlflow_and_found_again_under_another_name(tmp_path):
    params = {"download.source": "tfds:cifar10", "seed": "3"}
    row = {
        "variant": "optimized",
        "params": params,
        "tags": {"dvc.exp_name": "brave", "alexnet.changes": "seed=3 a.b=[1]"},
    }
    folder = run_folder(tmp_path, row, "1f0c2a9bdeadbeef")
    assert folder == tmp_path / "cifar10/optimized-brave-seed-3-b=-1-1f0c2a9b"
    folder.mkdir(parents=True)
    renamed = row | {"tags": {"dvc.exp_name": "other"}}
    assert run_folder(tmp_path, renamed, "1f0c2a9bdeadbeef") == folder
    assert run_folder(tmp_path, renamed, "2f0c2a9bdeadbeef") == tmp_path / "cifar10/optimized-other-seed-3-2f0c2a9b"
    configured = renamed | {"params": params | {"download.source": "tfds:eurosat/rgb"}}
    folder = run_folder(tmp_path, configured, "3f0c2a9bdeadbeef")
    assert folder == tmp_path / "eurosat-rgb/optimized-other-seed-3-3f0c2a9b", "one folder, so that it is found again"


@pytest.mark.parametrize(("found", "end"), [(None, "shows them (`pip install tensorboard`)"), (object(), "shows them")])
def test_what_shows_them_is_said_with_what_installs_it(tmp_path, monkeypatch, found, end):
    monkeypatch.setattr("pipeline.tracking.event_files.find_spec", lambda name: found)
    said = where(tmp_path, tmp_path / ".alexnet/tensorboard/cifar10/optimized-1f0c2a9b")
    assert said.startswith("event files are in .alexnet/tensorboard/cifar10/optimized-1f0c2a9b; ")
    assert said.endswith(f"`tensorboard --logdir .alexnet/tensorboard` {end}")


def _start(folder):
    return EventFiles(SilentStageTracker(), folder, pytest.fail)


def _train(workspace, *changes):
    said = []
    config = load(workspace.root, changes)
    _prepare(workspace, config)
    opened = partial(open_tracker, workspace, said.append, send=False)
    run_stage(workspace, config, config.item("train", "faithful"), open_tracker=opened)
    return said


def _prepare(workspace, config):
    for stage, key in (("download", ""), ("validate", ""), ("preprocess", "large"), ("statistics", "large")):
        run_stage(workspace, config, config.item(stage, key))


def _read(folder):
    """Return tag -> (step, value) of all points in a folder, in the order of the files."""
    import tensorflow as tf

    points = {}
    for path in sorted(folder.iterdir()):
        with suppress(tf.errors.DataLossError):  # cut short
            for event in tf.compat.v1.train.summary_iterator(str(path)):
                for value in event.summary.value:
                    points.setdefault(value.tag, []).append((event.step, float(tf.make_ndarray(value.tensor))))
    return points
