from pathlib import Path

from pipeline.commands import health
from pipeline.config.load import load
from pipeline.environment.workspace import Workspace

ROOT = Path(__file__).resolve().parents[3]


def test_bfloat16_that_the_processor_only_emulates_is_a_warning(monkeypatch):
    monkeypatch.chdir(ROOT)
    checked = load(ROOT, ["variants.optimized.training.precision=bfloat16"])
    monkeypatch.setattr(health, "load", lambda root: checked)
    monkeypatch.setattr(health.shutil, "which", lambda tool: None)
    for has, level in ((True, "ok"), (False, "warn")):
        monkeypatch.setattr(health, "processor_has_bfloat16", lambda has=has: has)
        finding = health._params(Workspace(ROOT, ROOT))
        assert (finding.level, "optimized: training.precision is bfloat16" in finding.found) == (level, not has)


def _with_driver(monkeypatch, found, hidden=None):
    monkeypatch.setattr(health, "gpus", lambda fields: found)
    if hidden is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    finding = health._gpus(Workspace(ROOT, ROOT))
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
