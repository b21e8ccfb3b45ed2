import errno
import json
import os
import shutil
import signal
import sys
import threading

import pytest

from alexnet_tf.errors import AlexNetError
from pipeline.config.load import load
from pipeline.environment.interruption import Interrupted
from pipeline.runner import run_stage
from pipeline.stages.cost import read_timings
from pipeline.stages.fingerprint import content_digest, fingerprint
from pipeline.stages.table import all_items


def test_a_stage_writes_its_outputs_and_its_cost(workspace):
    item = _run(workspace, "download")
    dataset = workspace.root / "data/dataset"
    assert sorted(path.name for path in dataset.iterdir()) == ["params.json", "run_of_this_process.txt"]
    assert _leftovers(workspace) == []
    identity = fingerprint(workspace.root, item, _config(workspace).params["download"])
    cost = read_timings(workspace.scratch / "timings", item, identity)
    assert cost["seconds_per_epoch"] == 0.5
    assert cost["wall_seconds"] > 0
    assert cost["peak_memory_bytes"] > 1e6


def test_a_missing_input_names_the_stage_that_makes_it(workspace):
    with pytest.raises(AlexNetError, match=r"data/dataset is missing; `dvc repro download` or `alexnet download`"):
        _run(workspace, "validate")


def test_compare_wants_every_variant(workspace):
    _run_all(workspace, until="evaluate")
    shutil.rmtree(workspace.root / "reports/evaluate/optimized")
    with pytest.raises(AlexNetError, match="alexnet evaluate optimized"):
        _run(workspace, "compare")


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
    _run(workspace, "download")
    before = content_digest(workspace.root / "data/dataset")

    def broken(inputs, outputs, params, runtime):
        outputs.dataset.mkdir()
        (outputs.dataset / "half").write_text("half")
        raise raised

    monkeypatch.setattr(sys.modules["components.download"], "run", broken)
    with pytest.raises(expected) as caught:
        _run(workspace, "download")
    for part in parts:
        assert part in str(caught.value)
    assert content_digest(workspace.root / "data/dataset") == before
    assert _leftovers(workspace) == []


def test_what_a_killed_run_left_is_cleared_away(workspace):
    leftover = workspace.root / "data/.dataset.partial"
    leftover.mkdir(parents=True)
    (leftover / "half").write_text("half")
    _run(workspace, "download")
    assert _leftovers(workspace) == []
    assert not (workspace.root / "data/dataset/half").exists()


def test_an_output_caught_between_two_renames_gets_its_place_back(workspace, monkeypatch):
    _run(workspace, "download")
    dataset = workspace.root / "data/dataset"
    dataset.rename(workspace.root / "data/.dataset.replaced")
    monkeypatch.setattr(sys.modules["components.download"], "run", _fail)
    with pytest.raises(ZeroDivisionError):
        _run(workspace, "download")
    assert (dataset / "params.json").exists()


def test_sigterm_is_an_interruption(workspace, monkeypatch):
    def slow(inputs, outputs, params, runtime):
        outputs.dataset.mkdir()
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(10)

    monkeypatch.setattr(sys.modules["components.download"], "run", slow)
    with pytest.raises(Interrupted):
        _run(workspace, "download")
    assert _leftovers(workspace) == []


def test_a_stage_that_forgets_an_output_is_at_fault(workspace, monkeypatch):
    monkeypatch.setattr(sys.modules["components.download"], "run", lambda *_: None)
    with pytest.raises(AlexNetError, match="without writing data/dataset"):
        _run(workspace, "download")


def test_the_scratch_folder_is_named_by_the_fingerprint_and_goes_after_success(workspace, monkeypatch):
    seen = []
    stub = sys.modules["components.download"].run

    def checkpointing(inputs, outputs, params, runtime):
        runtime.scratch.mkdir(parents=True)
        seen.append(runtime.scratch)
        stub(inputs, outputs, params, runtime)

    monkeypatch.setattr(sys.modules["components.download"], "run", checkpointing)
    item = _run(workspace, "download")
    identity = fingerprint(workspace.root, item, _config(workspace).params["download"])
    assert seen == [workspace.home / ".alexnet/checkpoints" / identity]
    assert not seen[0].exists()


def test_runtime_comes_from_its_section(workspace, monkeypatch):
    seen = []
    monkeypatch.setattr(sys.modules["components.download"], "run", lambda *given: seen.append(given[3]) or _fail())
    with pytest.raises(ZeroDivisionError):
        _run(workspace, "download", "runtime.beam_workers=3", "runtime.devices=[CPU:0, CPU:1]")
    runtime = seen[0]
    assert runtime.beam.num_workers == 3
    assert runtime.devices == ("CPU:0", "CPU:1")
    assert runtime.source_folder == workspace.home / "data/sources"


def test_the_fingerprint_follows_params_inputs_and_code_and_nothing_else(workspace):
    _run_all(workspace, until="statistics")

    def now(*overrides):
        config = _config(workspace, *overrides)
        return fingerprint(workspace.root, config.item("train", "faithful"), config.params["train@faithful"])

    first = now()
    assert now("runtime.beam_workers=9", "variants.optimized.training.epochs=2") == first
    assert now("variants.faithful.training.epochs=2") != first
    assert now("variants.faithful.profile=paper") != first
    code = workspace.root / "components/train.py"
    code.write_text(code.read_text() + "# changed\n")
    changed = now()
    assert changed != first
    (workspace.root / "data/records/large/params.json").write_text("{}")
    assert now() not in (first, changed)


def test_a_manifest_stands_for_its_folder(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "shard").write_text("a")
    first = content_digest(tmp_path)
    (tmp_path / "shard").write_text("b")
    assert content_digest(tmp_path) == first
    (tmp_path / "manifest.json").write_text(json.dumps({"sha256": 1}))
    assert content_digest(tmp_path) != first


def test_all_stages_run_in_table_order(workspace):
    _run_all(workspace)
    assert (workspace.root / "exports/optimized/params.json").exists()


def _fail(*_):
    raise ZeroDivisionError


def _leftovers(workspace):
    return [path for pattern in (".*.partial", ".*.replaced") for path in workspace.root.rglob(pattern)]


def _config(workspace, *overrides):
    return load(workspace.root / "params.yaml", overrides)


def _run(workspace, stage, *overrides, key=""):
    config = _config(workspace, *overrides)
    item = config.item(stage, key)
    run_stage(workspace, config, item)
    return item


def _run_all(workspace, until=None):
    config = _config(workspace)
    stop = False
    for item in all_items(config.values):
        stop = stop or item.stage.name == until
        if stop and item.stage.name != until:
            break
        run_stage(workspace, config, item)
