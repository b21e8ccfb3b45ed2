import errno
import hashlib
import json
import os
import shutil
import signal
import sys
import threading

import pytest

from alexnet_tf.devices.processor import usable_cores
from alexnet_tf.errors import AlexNetError
from components.interfaces import SilentProgress
from pipeline.config.load import load
from pipeline.environment.interruption import Interrupted
from pipeline.runner import run_stage
from pipeline.stages.cost import read_timings
from pipeline.stages.fingerprint import content_digest, fingerprint
from pipeline.stages.table import all_items


def test_a_stage_writes_its_outputs_and_its_cost(workspace):
    item = run(workspace, "download")
    dataset = workspace.root / "data/dataset"
    assert sorted(path.name for path in dataset.iterdir()) == ["params.json", "run_of_this_process.txt"]
    assert leftovers(workspace) == []
    identity = fingerprint(workspace.root, item, read_config(workspace).params["download"])
    cost = read_timings(workspace.scratch / "timings", item, identity)
    assert cost["seconds_per_epoch"] == 0.5
    assert cost["wall_seconds"] > 0
    assert cost["peak_memory_bytes"] > 1e6


def test_a_missing_input_names_the_stage_that_makes_it(workspace):
    with pytest.raises(AlexNetError, match=r"data/dataset is missing; run `dvc repro download` or `alexnet download`"):
        run(workspace, "validate")


def test_compare_wants_every_variant(workspace):
    run_all(workspace, until="evaluate")
    shutil.rmtree(workspace.root / "reports/evaluate/optimized")
    with pytest.raises(AlexNetError, match="alexnet evaluate optimized"):
        run(workspace, "compare")


@pytest.mark.parametrize(
    ("raised", "expected", "parts"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "x"), AlexNetError, ["disk is full", "MB free"]),
        (OSError(errno.EROFS, "Read-only file system", "x"), AlexNetError, ["read-only"]),
        (PermissionError(errno.EACCES, "Permission denied", "x"), AlexNetError, ["permission denied"]),
        (OSError(errno.EXDEV, "Invalid cross-device link"), AlexNetError, ["cross-device", "--debug"]),
        (KeyboardInterrupt(), Interrupted, ["interrupted", "same command"]),
        (ValueError("a bug"), ValueError, ["a bug"]),
    ],
)
def test_a_stage_that_breaks_off_leaves_the_earlier_output(workspace, monkeypatch, raised, expected, parts):
    run(workspace, "download")
    before = content_digest(workspace.root / "data/dataset")

    def broken(inputs, outputs, params, runtime):
        outputs.dataset.mkdir()
        (outputs.dataset / "half").write_text("half")
        raise raised

    monkeypatch.setattr(sys.modules["components.download"], "run", broken)
    with pytest.raises(expected) as caught:
        run(workspace, "download")
    for part in parts:
        assert part in str(caught.value)
    assert content_digest(workspace.root / "data/dataset") == before
    assert leftovers(workspace) == []


def test_sigterm_is_an_interruption(workspace, monkeypatch):
    def slow(inputs, outputs, params, runtime):
        outputs.dataset.mkdir()
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(10)

    monkeypatch.setattr(sys.modules["components.download"], "run", slow)
    with pytest.raises(Interrupted):
        run(workspace, "download")
    assert leftovers(workspace) == []


def test_a_stage_that_forgets_an_output_is_at_fault(workspace, monkeypatch):
    monkeypatch.setattr(sys.modules["components.download"], "run", lambda *_: None)
    with pytest.raises(AlexNetError, match="without writing data/dataset"):
        run(workspace, "download")


def test_the_scratch_folder_is_named_by_the_fingerprint_and_goes_after_success(workspace, monkeypatch):
    seen = []
    stub = sys.modules["components.download"].run

    def checkpointing(inputs, outputs, params, runtime):
        runtime.scratch.mkdir(parents=True)
        seen.append(runtime.scratch)
        stub(inputs, outputs, params, runtime)

    monkeypatch.setattr(sys.modules["components.download"], "run", checkpointing)
    item = run(workspace, "download")
    identity = fingerprint(workspace.root, item, read_config(workspace).params["download"])
    assert seen == [workspace.home / ".alexnet/checkpoints" / identity]
    assert not seen[0].exists()


def test_two_runs_of_a_stage_in_one_folder_take_turns(workspace, monkeypatch):
    stub, lines, second = sys.modules["components.download"].run, [], []

    class Lines(SilentProgress):
        def line(self, text):
            lines.append(text)
            told.set()

    def starting_another(inputs, outputs, params, runtime):
        monkeypatch.setattr(sys.modules["components.download"], "run", stub)
        config = read_config(workspace)
        arguments = (workspace, config, config.item("download"))
        second.append(threading.Thread(target=run_stage, args=arguments, kwargs={"progress": Lines()}))
        second[0].start()
        assert told.wait(30)
        return stub(inputs, outputs, params, runtime)

    told = threading.Event()
    monkeypatch.setattr(sys.modules["components.download"], "run", starting_another)
    run(workspace, "download")
    second[0].join(30)
    assert lines[0] == f"download: waiting for process {os.getpid()}, which runs the same stage here"
    assert len(lines) == 3  # its heading and what it found, when it had its turn
    assert (workspace.root / "data/dataset/params.json").exists()
    assert leftovers(workspace) == []
    assert list((workspace.scratch / "locks").iterdir()) == []


def test_a_run_that_is_interrupted_as_it_waits_leaves_the_other_one_alone(workspace, monkeypatch):
    stub = sys.modules["components.download"].run

    class Impatient(SilentProgress):
        def line(self, text):
            assert text.startswith("download: waiting for process")
            raise KeyboardInterrupt

    def with_another_beside(inputs, outputs, params, runtime):
        stub(inputs, outputs, params, runtime)
        config = read_config(workspace)
        with pytest.raises(Interrupted, match="interrupted"):
            run_stage(workspace, config, config.item("download"), progress=Impatient())

    monkeypatch.setattr(sys.modules["components.download"], "run", with_another_beside)
    run(workspace, "download")
    assert (workspace.root / "data/dataset/params.json").exists()
    assert leftovers(workspace) == []


def test_an_interruption_after_the_outputs_are_in_their_places_says_so(workspace):
    def after(tracker):
        raise KeyboardInterrupt

    config = read_config(workspace)
    with pytest.raises(
        Interrupted, match="its outputs are complete, but not recorded to the end, and the same command starts it again"
    ):
        run_stage(workspace, config, config.item("download"), after=after)
    assert (workspace.root / "data/dataset/params.json").exists()


def test_the_same_training_in_two_folders_of_one_home_takes_turns(workspace, monkeypatch):
    run_all(workspace, until="train")
    shutil.rmtree(workspace.root / "models")
    item, seen = read_config(workspace).item("train", "optimized"), []
    stub = sys.modules["components.train"].run

    def looking(inputs, outputs, params, runtime):
        seen.extend(path.name for path in (workspace.scratch / "locks").iterdir())
        return stub(inputs, outputs, params, runtime)

    monkeypatch.setattr(sys.modules["components.train"], "run", looking)
    config = read_config(workspace)
    run_stage(workspace, config, item)
    identity = fingerprint(workspace.root, item, config.params[item.address])
    assert hashlib.sha256(identity.encode()).hexdigest() in seen
    assert len(seen) == 2
    seen.clear()
    worker = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(worker))  # which keeps no checkpoint, and trains beside worker 0
    run_stage(workspace, config, item)
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("name", "old", "new", "what"),
    [
        ("params.yaml", "min_side_px: 8", "min_side_px: 9", "its part of params.yaml"),
        ("params.yaml", "min_side_px: 8", "min_side_px: [", "its part of params.yaml"),
        ("data/dataset/params.json", "sample", "other", "its code or an input"),
        ("params.yaml", "seed: 2012", "seed: 7", ""),  # of other stages
    ],
)
def test_what_dvc_would_record_wrongly_is_refused_and_nothing_is_written(workspace, monkeypatch, name, old, new, what):
    run(workspace, "download")
    component = sys.modules["components.validate"]
    stub, path = component.run, workspace.root / name
    before = path.read_text()
    assert old in before

    def slow(inputs, outputs, params, runtime):
        stub(inputs, outputs, params, runtime)
        path.write_text(before.replace(old, new, 1))

    monkeypatch.setattr(component, "run", slow)
    if not what:
        run(workspace, "validate")
        return
    with pytest.raises(AlexNetError, match=f"validate: {what} changed while it ran.*undo the change and give"):
        run(workspace, "validate")
    assert leftovers(workspace) == []
    assert not (workspace.root / "reports/validate").exists()
    path.write_text(before)
    monkeypatch.setattr(component, "run", stub)
    run(workspace, "validate")
    assert (workspace.root / "reports/validate").exists()


def test_runtime_comes_from_its_section(workspace, monkeypatch):
    seen = []
    monkeypatch.setattr(sys.modules["components.download"], "run", lambda *given: seen.append(given[3]) or fail())
    with pytest.raises(ZeroDivisionError):
        run(workspace, "download", "runtime.beam_workers=3", "runtime.devices=[CPU:0, CPU:1]")
    runtime = seen[0]
    assert runtime.beam.num_workers == 3
    assert runtime.devices == ("CPU:0", "CPU:1")
    assert runtime.source_folder == workspace.home / "data/sources"
    assert runtime.input_parallel_calls == min(usable_cores(), 4)
    with pytest.raises(ZeroDivisionError):
        run(workspace, "download", "runtime.input_parallel_calls=40")
    assert seen[1].input_parallel_calls == 40


def test_all_stages_run_in_table_order(workspace):
    run_all(workspace)
    assert (workspace.root / "exports/optimized/params.json").exists()


def fail(*_):
    raise ZeroDivisionError


def leftovers(workspace):
    return [path for pattern in (".*.partial", ".*.replaced") for path in workspace.root.rglob(pattern)]


def read_config(workspace, *overrides):
    return load(workspace.root, overrides)


def run(workspace, stage, *overrides, key=""):
    config = read_config(workspace, *overrides)
    item = config.item(stage, key)
    run_stage(workspace, config, item)
    return item


def run_all(workspace, until=None):
    config = read_config(workspace)
    stop = False
    for item in all_items(config.values):
        stop = stop or item.stage.name == until
        if stop and item.stage.name != until:
            break
        run_stage(workspace, config, item)
