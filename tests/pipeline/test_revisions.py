import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from alexnet_tf.errors import AlexNetError, ConfigError, DataError
from pipeline.cli import alexnet
from pipeline.revisions import compare_with
from pipeline.workspace import Workspace
from tests.components.test_compare import VARIANTS, write_reports

SECTION = {"baseline": "faithful", "confidence": 0.95, "bootstrap_samples": 200}
KEYS = [f"test/{index:02}" for index in range(80)]


@pytest.fixture
def folder(tmp_path):
    """A Git repository in which `faithful` is right on half of the images."""
    run(tmp_path, "git", "init", "-q", "-b", "main")
    run(tmp_path, "git", "config", "user.name", "someone")
    run(tmp_path, "git", "config", "user.email", "someone@example.org")
    write_reports(tmp_path / "reports", "faithful", np.arange(80) < 40, KEYS)
    write_params(tmp_path, 0.01)
    return tmp_path


def write_params(folder, rate):
    variant = {**VARIANTS["faithful"], "profile": "none", "rate": rate}
    with (folder / "params.yaml").open("w") as file:
        YAML().dump({"variants": {"faithful": variant}}, file)


def run(folder, *command):
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def compared(folder, *revisions):
    values = {"variants": {"faithful": {**VARIANTS["faithful"], "rate": 0.02}}, "compare": SECTION}
    return compare_with(Workspace(folder, folder), SimpleNamespace(values=values), revisions)


@pytest.mark.slow
def test_a_past_run_is_compared_image_by_image(folder):
    dvc = [sys.executable, "-m", "dvc"]
    run(folder, *dvc, "init", "-q")
    run(folder, *dvc, "add", "-q", "reports/train/faithful", "reports/evaluate/faithful")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "past")
    run(folder, "git", "tag", "past")
    (folder / "reports").rename(folder / "old")
    write_reports(folder / "reports", "faithful", np.arange(80) < 70, KEYS)
    comparison, figures = compared(folder, "past")
    assert comparison["variants"] == ["faithful", "faithful@past"]
    pair = comparison["paired"]["faithful@past"]["ten_crop"]["top1_error"]
    assert (pair["only_baseline_correct"], pair["only_model_correct"]) == (30, 0)
    assert {"key": "rate", "values": {"faithful": 0.02, "faithful@past": 0.01}} in comparison["knobs"]
    assert "confusion_faithful@past.png" in figures

    (folder / "reports").rename(folder / "older")
    write_reports(folder / "reports", "faithful", np.ones(80, bool), [f"other/{index}" for index in range(80)])
    with pytest.raises(DataError, match="faithful and faithful@past were tested on different images"):
        compared(folder, "past")
    (folder / "old").rename(folder / "gone")
    run(folder, "bash", "-c", "rm -rf .dvc/cache")
    with pytest.raises(AlexNetError, match=r"--rev past: reports/train/faithful is not to be had"):
        compared(folder, "past")


def test_a_revision_that_is_none_is_named_before_reports_are_read(folder):
    shutil.rmtree(folder / "reports")
    with pytest.raises(ConfigError, match=r"--rev nowhere: no Git revision or DVC experiment of that name"):
        compared(folder, "nowhere")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is missing; `dvc repro` or `alexnet compare` makes it"),
        ("{", "is broken (Expecting"),
        ("[]", "is broken (it is no JSON object)"),
        ('{"variants": ["faithful"]}', "is broken (it has no 'baseline'); `dvc repro -f compare` makes it anew"),
    ],
)
def test_a_missing_or_foreign_comparison_is_one_sentence(workspace, monkeypatch, content, reason):
    path = workspace.root / "reports/compare/comparison.json"
    path.parent.mkdir(parents=True)
    if content is not None:
        path.write_text(content)
    monkeypatch.chdir(workspace.root)
    result = CliRunner().invoke(alexnet, ["report"])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: reports/compare/comparison.json {reason}")
    assert len(result.stderr.splitlines()) == 1


def test_equal_reports_differ_by_nothing(folder):
    comparison, _ = compared(folder)
    assert json.dumps(comparison["paired"]) == "{}"
