"""The numbers that a commit claims, where neither the tree nor DVC's cache has the reports: a fresh clone."""

import hashlib
import json

import pytest
from click.testing import CliRunner

from pipeline.cli import alexnet
from pipeline.config.load import load
from pipeline.verify import verify
from pipeline.verify.verify import _claimed_reader, _runtime_of_another_version
from tests.commits import commit_all

METRICS = {
    "faithful": {"train": {"best_epoch": 2}, "evaluate": {"center": {"top1_error": 0.25}}},
    "optimized": {"train": {"best_epoch": 3}, "evaluate": {"center": {"top1_error": 0.125}}},
}


def locked(text, *, md5=None, train_size=30):
    """Lay out the parts of a dvc.lock that say what metrics.json was made of."""
    stages = {
        f"{stage}@{variant}": {
            "outs": [{"path": f"reports/{stage}/{variant}", "md5": f"{stage}{variant}.dir", "size": 10, "nfiles": 2}]
        }
        for stage in ("train", "evaluate")
        for variant in METRICS
    }
    stages["train@faithful"]["outs"].append({"path": "models/faithful", "md5": "model.dir", "size": 99, "nfiles": 3})
    deps = [
        {"path": "components/compare.py", "md5": "code", "size": 5},
        {"path": "reports/train", "md5": "trains.dir", "size": train_size - 10, "nfiles": 4},
        {"path": "reports/evaluate", "md5": "evaluates.dir", "size": 20, "nfiles": 4},
    ]
    digest = md5 or hashlib.md5(text.encode()).hexdigest()
    stages["compare"] = {"deps": deps, "outs": [{"path": "metrics.json", "md5": digest, "size": len(text)}]}
    return {"stages": stages}


@pytest.fixture
def claimed(workspace):
    """Returns a function: what is claimed of an output, when a text is committed as metrics.json."""
    items = load(workspace.root)

    def claimed(stage, variant, path, text=None, lock=None):
        if text is not None:
            (workspace.root / "metrics.json").write_text(text)
        content = lock or locked(text or "")
        (workspace.root / "dvc.lock").write_text(json.dumps(content))
        commit_all(workspace.root)
        before = _claimed_reader(workspace, items.item(stage, variant), path)
        return before() if before else "nothing to claim"

    return claimed


def test_what_is_set_for_this_machine_alone_reaches_the_clean_folder(workspace, monkeypatch):
    (workspace.root / "params.local.yaml").write_text("runtime: {beam_workers: 3, source_folder: ../sets}\n")
    (workspace.root / ".gitignore").write_text("params.local.yaml\n")
    outs = [{"path": "data/dataset", "md5": "set.dir", "size": 1, "nfiles": 1}]
    (workspace.root / "dvc.lock").write_text(json.dumps({"stages": {"download": {"outs": outs}}}))
    commit_all(workspace.root)
    seen = []
    monkeypatch.setattr(verify, "rerun", lambda folder, addresses: seen.append(load(folder).runtime))
    monkeypatch.setattr(verify, "compared", lambda *_, **__: None)
    verify.verify(workspace, "download", tolerance=0.0, keep=False, say=print)
    (runtime,) = seen
    assert runtime.beam_workers == 3
    assert runtime.source_folder == f"{workspace.home}/../sets"
    assert list((workspace.scratch / "verify").iterdir()) == []


def test_another_version_of_the_code_gets_the_keys_that_it_knows(workspace):
    runtime = load(workspace.root).runtime.model_copy(update={"source_folder": "images", "beam_workers": 3})
    theirs = {"source_folder": "data/sources", "beam_workers": 0, "given_up_since": 7}
    sent = _runtime_of_another_version(theirs, workspace, runtime)
    assert sent == {"source_folder": str(workspace.home / "images"), "beam_workers": 3, "given_up_since": 7}


TEXT = json.dumps(METRICS, indent=1) + "\n"


def test_a_report_is_looked_up_in_the_committed_metrics(claimed):
    found = claimed("evaluate", "optimized", "reports/evaluate/optimized", TEXT)
    assert found == {"center/top1_error": 0.125}
    assert claimed("train", "faithful", "reports/train/faithful", TEXT) == {"best_epoch": 2.0}
    assert claimed("compare", "", "reports/compare", TEXT) == "nothing to claim"
    assert claimed("train", "faithful", "models/faithful", TEXT) == "nothing to claim"


@pytest.mark.parametrize(
    ("tolerance", "verdict", "code"), [("0.02", "within tolerance", 0), ("0.005", "not reproduced", 1)]
)
def test_numbers_may_differ_by_the_tolerance_that_is_asked_for(
    workspace, claimed, monkeypatch, tolerance, verdict, code
):
    def rerun(folder, addresses):
        (folder / "reports/evaluate/optimized").mkdir(parents=True)
        (folder / "reports/evaluate/optimized/metrics.json").write_text('{"center": {"top1_error": 0.135}}')

    claimed("evaluate", "optimized", "reports/evaluate/optimized", TEXT)
    monkeypatch.setattr(verify, "_bring_inputs", lambda *_: None)
    monkeypatch.setattr(verify, "rerun", rerun)
    monkeypatch.chdir(workspace.root)
    done = CliRunner().invoke(alexnet, ["verify", "evaluate@optimized", "--tolerance", tolerance])
    assert done.exit_code == code, done.output
    assert f"verdict:  {verdict}" in done.stdout


def test_the_metrics_file_itself_is_an_output(claimed):
    found = claimed("compare", "", "metrics.json", TEXT)
    assert found == {
        "faithful/train/best_epoch": 2.0,
        "faithful/evaluate/center/top1_error": 0.25,
        "optimized/train/best_epoch": 3.0,
        "optimized/evaluate/center/top1_error": 0.125,
    }


@pytest.mark.parametrize(
    ("text", "lock"),
    [
        (None, locked(TEXT)),
        (TEXT, locked(TEXT, md5="0123")),
        (TEXT, locked(TEXT, train_size=31)),
        (TEXT, {"stages": {"evaluate@optimized": {"outs": [{"path": "reports/evaluate/optimized", "md5": "1"}]}}}),
    ],
    ids=["none committed", "of another lock", "of reports that were made again since", "of an empty file"],
)
def test_metrics_that_are_not_of_the_lock_are_not_believed(claimed, text, lock):
    assert claimed("evaluate", "optimized", "reports/evaluate/optimized", text, lock) is None
