import os
from pathlib import Path

from pipeline.commands import health
from pipeline.config.load import load
from pipeline.environment import processes
from pipeline.environment.workspace import Workspace
from pipeline.tracking import spool

ROOT = Path(__file__).resolve().parents[3]


def test_bfloat16_that_the_processor_only_emulates_is_a_warning(monkeypatch, sample_project):
    monkeypatch.chdir(sample_project)
    checked = load(sample_project, ["variants.optimized.training.precision=bfloat16"])
    monkeypatch.setattr(health, "load", lambda root: checked)
    monkeypatch.setattr(health.shutil, "which", lambda tool: None)
    for has, level in ((True, "ok"), (False, "warn")):
        monkeypatch.setattr(health, "processor_has_bfloat16", lambda has=has: has)
        finding = health._params(Workspace(sample_project, sample_project))
        assert (finding.level, "optimized: training.precision is bfloat16" in finding.found) == (level, not has)


def _with_driver(monkeypatch, found, hidden=None):
    monkeypatch.setattr(health, "gpus", lambda fields: found)
    if hidden is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    finding = health._gpu(Workspace(ROOT, ROOT))
    return finding.level, finding.found, finding.fix


def test_a_gpu_that_tensorflow_does_not_find_is_a_warning_with_the_way_out(monkeypatch):
    monkeypatch.setattr(health, "_seen_by_tensorflow", lambda: 0)
    level, found, fix = _with_driver(monkeypatch, ["H200, 143771 MiB"])
    assert (level, found) == ("warn", "H200, 143771 MiB; TensorFlow finds none and trains on the CPU")
    assert "tensorflow[and-cuda]==2.21" in fix
    monkeypatch.setattr(health, "_seen_by_tensorflow", lambda: 2)
    assert _with_driver(monkeypatch, ["H200", "H100"]) == ("ok", "H200; H100; TensorFlow finds 2", "")


def test_without_a_gpu_or_with_a_hidden_one_tensorflow_is_not_asked(monkeypatch):
    monkeypatch.setattr(health, "_seen_by_tensorflow", lambda: 1 / 0)
    assert _with_driver(monkeypatch, [])[1] == "none; training uses the CPU"
    assert _with_driver(monkeypatch, ["H200"], hidden="")[:2] == (
        "ok", "H200; hidden by CUDA_VISIBLE_DEVICES: training uses the CPU"
    )  # fmt: skip
    assert _with_driver(monkeypatch, None)[0] == "warn"


def test_tensorflow_is_asked_for_its_gpus_in_a_process_of_its_own(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert health._seen_by_tensorflow() == 0


def test_a_package_from_pythonpath_is_told_with_the_way_out(tmp_path, monkeypatch):
    info = tmp_path / "modules" / "click-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: click\nVersion: 0.1\n")
    (tmp_path / "constraints.txt").write_text("click==8.0\n")
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    monkeypatch.setenv("PYTHONPATH", f"/nowhere:{tmp_path / 'modules'}")
    finding = health._versions(Workspace(tmp_path, tmp_path))
    assert (finding.level, finding.found) == ("warn", "click 0.1 (pinned 8.0)")
    assert finding.fix.startswith("unset PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    assert health._versions(Workspace(tmp_path, tmp_path)).fix.startswith("python -m pip install")


def test_a_stage_that_runs_is_not_waiting_to_be_sent(workspace):
    spool.append(workspace.scratch / "spool/1-runs", {"event": "start", "writer": processes.writer(os.getpid())})
    assert health._spool(workspace).found == "nothing to send"
    spool.append(workspace.scratch / "spool/1-runs", {"event": "end"})
    assert health._spool(workspace).level == "warn"


def test_a_check_that_breaks_has_the_name_that_it_has_otherwise(workspace, monkeypatch):
    monkeypatch.setattr(health, "gpus", lambda fields: [])
    names = [finding.name for finding in health.examine(workspace)]
    monkeypatch.setattr(health, "gpus", lambda fields: 1 / 0)
    broken = health.examine(None)  # type: ignore[arg-type]  # breaks all that look at it
    assert [finding.name for finding in broken] == names
    assert sum("could not be checked" in finding.found for finding in broken) > len(names) / 2


def test_memory_is_what_a_container_leaves(monkeypatch):
    monkeypatch.setattr(health, "memory_quota", lambda: 4_000_000_000)
    monkeypatch.setattr(health, "memory_left", lambda: 1_500_000_000)
    finding = health._memory(Workspace(ROOT, ROOT))
    assert (finding.level, finding.found) == ("warn", "1.5 of 4.0 GB available")
