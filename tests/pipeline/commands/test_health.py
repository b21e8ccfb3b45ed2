import importlib
from pathlib import Path

from pipeline.commands import health
from pipeline.environment.workspace import Workspace

ROOT = Path(__file__).resolve().parents[3]


def test_bfloat16_that_the_processor_only_emulates_is_a_warning(monkeypatch):
    monkeypatch.chdir(ROOT)
    config = importlib.import_module("pipeline.config.load")
    checked = config.load(ROOT / "params.yaml", ["variants.optimized.training.precision=bfloat16"])
    monkeypatch.setattr(config, "load", lambda path: checked)
    monkeypatch.setattr(health.shutil, "which", lambda tool: None)
    for has, level in ((True, "ok"), (False, "warn")):
        monkeypatch.setattr(health, "processor_has_bfloat16", lambda has=has: has)
        finding = health._params(Workspace(ROOT, ROOT))
        assert (finding.level, "optimized: training.precision is bfloat16" in finding.found) == (level, not has)
