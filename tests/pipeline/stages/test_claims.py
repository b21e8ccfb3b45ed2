"""What HEAD claims in its three files belongs together: params.yaml, dvc.lock, metrics.json."""

import hashlib
import json
import subprocess
import sys

import pytest

from pipeline.config.load import PARAMS_FILE
from pipeline.environment.git import committed
from pipeline.environment.yaml_file import parse
from pipeline.stages.claims import claimed_lock, claimed_metrics
from pipeline.stages.table import METRICS_FILE


def test_the_committed_metrics_are_those_of_the_committed_lock(root):
    params = committed(root, "HEAD", PARAMS_FILE)
    if params is None:
        pytest.skip("no commit here, as in a zip download")
    shown = subprocess.run(["git", "show", f"HEAD:./{METRICS_FILE}"], cwd=root, capture_output=True, check=False)
    assert shown.returncode == 0, f"HEAD has no {METRICS_FILE}: `dvc repro` and commit it with dvc.lock"
    assert hashlib.md5(shown.stdout, usedforsecurity=False).hexdigest() == claimed_lock(root).hashes.get(
        METRICS_FILE
    ), f"HEAD's {METRICS_FILE} is of another run than its dvc.lock: `dvc repro` and commit both"
    assert list(claimed_metrics(root)) == sorted(parse(params, PARAMS_FILE)["variants"]), (
        f"HEAD's {METRICS_FILE} is of other variants than its {PARAMS_FILE}: `dvc repro` and commit both"
    )


def test_dvc_shows_the_metrics_whole(root):
    """It leaves out lists and nulls without a word."""
    if not (root / METRICS_FILE).exists():
        pytest.skip("the pipeline has not run here")
    command = [sys.executable, "-m", "dvc", "metrics", "show", "--json", METRICS_FILE]
    shown = json.loads(subprocess.run(command, cwd=root, capture_output=True, check=True).stdout)
    assert shown[""]["data"][METRICS_FILE]["data"] == json.loads((root / METRICS_FILE).read_text())
