"""`alexnet verify` of a kept result: its own commit, with its changes, and what it claims."""

import json
import shutil

import pytest
from dvc_repository import Repository

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A repository in which a training with other parameters than its experiment's was kept; and the kept file."""
    made = Repository(tmp_path_factory.mktemp("kept"))
    (made.root / "experiments").mkdir()
    shutil.copy(made.root / "params.yaml", made.root / "experiments/stub.yaml")
    made.commit()
    made.edit("epochs: 30,", "epochs: 28,")
    made.run("dvc", "repro", "evaluate@optimized")
    made.rows()  # the uploader has ended
    made.settings["TF_ENABLE_ONEDNN_OPTS"] = "0"  # the process that keeps it is another one than the training
    paths = json.loads(made.run("alexnet", "track", "keep", "--json").stdout)
    del made.settings["TF_ENABLE_ONEDNN_OPTS"]
    made.run("git", "checkout", "-q", "params.yaml")
    shutil.rmtree(made.root / ".dvc/cache")
    return made, next(path for path in paths if "optimized-seed2012-" in path)


def test_verify_runs_a_kept_result_from_its_own_commit_with_its_changes(kept, monkeypatch):
    repository, path = kept
    monkeypatch.setitem(repository.settings, "TF_ENABLE_ONEDNN_OPTS", "0")  # which the rerun sets as the result has it
    later = ('"top1_error": 0.25', '"top1_error": 0.75')
    with repository.edited(*later, "stub_stages.py", committed=True):
        said = repository.run("alexnet", "verify", path, "--json")
    certificate = json.loads(said.stdout)
    assert certificate["verdict"] == "reproduced"
    stages = [each["stage"].partition("@")[0] for each in certificate["outputs"]]
    assert set(stages) == {"download", "validate", "preprocess", "statistics", "train", "evaluate"}
    row = json.loads((repository.root / path).read_text())["row"]
    claimed = {name: digest for stage in row["standing"] for name, digest in stage["outs"].items()}
    for each in certificate["outputs"]:
        assert each["reproduced"] == claimed[f"dvc.out.{each['path']}"]
    assert certificate["claimed_on"] == certificate["machine"]
    assert certificate["machine"]["env.onednn"] == "1"
    assert certificate["claim"] == path
    assert certificate["commit"] == row["tags"]["mlflow.source.git.commit"]
    assert list((repository.root / ".alexnet/verify").iterdir()) == []


def test_verify_compares_the_numbers_of_a_kept_result_where_bytes_differ(kept):
    """What follows from other differences is told in test_certificate.py, the exit code in test_backfill.py."""
    repository, path = kept
    content = json.loads((repository.root / path).read_text())
    evaluate = next(each for each in content["row"]["standing"] if each["stage"] == "evaluate@optimized")
    evaluate["metrics"]["test/center/top1_error"] = 0.26
    evaluate["outs"] = dict.fromkeys(evaluate["outs"], "0123456789abcdef.dir")
    (repository.root / "other.json").write_text(json.dumps(content))
    said = repository.run("alexnet", "verify", "other.json").stdout
    assert "verdict:  within tolerance" in said
    assert [line.strip() for line in said.splitlines() if " -> " in line] == ["center/top1_error: 0.26 -> 0.25"]
    assert "from:     " in said


def test_a_kept_result_that_cannot_be_run_is_one_sentence(kept):
    repository, path = kept
    content = json.loads((repository.root / path).read_text())
    no_files = repository.run("git", "hash-object", "-t", "tree", "-w", "/dev/null").stdout.strip()
    empty = repository.run("git", "commit-tree", no_files, "-m", "before all").stdout.strip()
    for name, commit in (("other.json", "0" * 40), ("old.json", empty), ("without.json", "")):
        content["row"]["tags"]["mlflow.source.git.commit"] = commit
        (repository.root / name).write_text(json.dumps(content))
    (repository.root / "params.yaml.json").write_text("{}")
    for name, words in {
        "without.json": "names no commit, as it was made without Git, so its code is not known; commit and",
        "other.json": "is not in this repository; fetch the history that has it",
        "old.json": f"`verify` cannot run it; run it in another clone: `git checkout {empty[:12]} && alexnet use stub",
        "none.json": "cannot be read (No such file",
        "params.yaml.json": "expected a result",
    }.items():
        done = repository.run("alexnet", "verify", name, check=False)
        assert done.returncode == 1
        assert words in done.stderr
        assert "Traceback" not in done.stderr
