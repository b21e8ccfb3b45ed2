import hashlib
import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from ruamel.yaml import YAML

from alexnet_tf.comparison.page import render, sentences, table
from alexnet_tf.errors import AlexNetError, ConfigError, DataError
from pipeline.environment.workspace import Workspace
from pipeline.results.revisions import _commit, _namesakes, compare_with
from pipeline.stages import dvc_cache
from tests.commits import commit_all
from tests.components.test_compare import STAGES, VARIANTS, write_reports

SECTION = {"baseline": "faithful", "confidence": 0.95, "bootstrap_samples": 200}
KEYS = [f"test/{index:02}" for index in range(80)]


@pytest.fixture
def folder(tmp_path):
    """A Git repository in which `faithful` is right on half of the images."""
    run(tmp_path, "git", "init", "-q")
    write_reports(tmp_path / "reports", "faithful", np.arange(80) < 40, KEYS)
    write_params(tmp_path, 0.01)
    (tmp_path / ".gitignore").write_text("reports/\nold/\n")
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


def claim(folder, **changes):
    """Commit the metrics.json that `compare` writes of these reports, tagged `past`, and forget the reports."""
    of = {stage: json.loads((folder / f"reports/{stage}/faithful/metrics.json").read_text()) for stage in STAGES}
    of["evaluate"] |= changes
    write_claim(folder, json.dumps({"faithful": of}))
    commit(folder, "past")
    shutil.rmtree(folder / "reports")


def write_claim(folder, text):
    """Write a metrics.json and name it in dvc.lock."""
    (folder / "metrics.json").write_text(text)
    lock = folder / "dvc.lock"
    content = json.loads(lock.read_text()) if lock.is_file() else {"stages": {}}
    out = {"path": "metrics.json", "md5": hashlib.md5(text.encode()).hexdigest()}
    content["stages"]["compare"] = {"outs": [out]}
    lock.write_text(json.dumps(content))


def commit(folder, tag):
    commit_all(folder, tag)
    run(folder, "git", "tag", tag)


def experiment(folder, name, head):
    """A DVC experiment on a commit, as `dvc exp run -n` leaves it: a reference to a commit of its own."""
    base = out(folder, "git", "rev-parse", head)
    commit_all(folder, name)
    own = out(folder, "git", "rev-parse", "HEAD")
    run(folder, "git", "reset", "-q", "--hard", "HEAD^")
    run(folder, "git", "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", own)
    return own


def out(folder, *command):
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.slow
def test_a_past_run_is_compared_image_by_image(folder):
    dvc = [sys.executable, "-m", "dvc"]
    run(folder, *dvc, "init", "-q")
    outs = ["reports/train/faithful", "reports/evaluate/faithful"]
    (folder / "dvc.yaml").write_text(json.dumps({"stages": {"all": {"cmd": "true", "outs": outs}}}))
    run(folder, *dvc, "commit", "--quiet", "--force")
    commit(folder, "past")
    own = experiment(folder, "brave-exp", "past")
    (folder / "reports").rename(folder / "old")
    write_reports(folder / "reports", "faithful", np.arange(80) < 70, KEYS)
    of_experiment = compared(folder, "brave-exp").comparison["errors"]["faithful@brave-exp"]
    assert of_experiment == compared(folder, own).comparison["errors"][f"faithful@{own}"]
    comparison, figures, notes = compared(folder, "past")
    assert notes == []
    assert of_experiment == comparison["errors"]["faithful@past"]
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
    with pytest.raises(AlexNetError, match=r"--rev past: DVC's cache does not have its reports of faithful, and its"):
        compared(folder, "past")


def test_errors_stand_beside_errors_where_the_reports_are_gone(folder):
    claim(folder)
    write_reports(folder / "reports", "faithful", np.arange(80) < 70, KEYS)
    comparison, _, (note,) = compared(folder, "past")
    assert comparison["errors"]["faithful@past"]["ten_crop"]["top1_error"]["value"] == 0.5
    assert comparison["errors"]["faithful"]["ten_crop"]["top1_error"]["value"] == 0.125
    assert comparison["paired"] == {}
    assert note.startswith(
        "past: DVC's cache does not have its reports of faithful, so the errors are those of its metr"
    )
    shown = table(comparison, {})
    assert "12.5 %" in shown
    assert "50.0 %" in shown
    assert "faithful@past" in render(comparison, {}, {}, {})


def test_a_fresh_clone_shows_what_is_claimed(folder):
    claim(folder)
    comparison, _, notes = compared(folder, "HEAD")
    assert comparison["variants"] == ["faithful@HEAD"]
    assert comparison["errors"]["faithful@HEAD"]["center"]["top1_error"]["value"] == 0.5
    assert sentences(comparison) == ["faithful@HEAD has a top-1 error of 50.0 %."]
    assert "50.0 % (39.3 to 60.7)" in render(comparison, {}, {}, {})
    assert [note.partition(",")[0] for note in notes] == [
        "nothing was run here",
        "HEAD: DVC's cache does not have its reports of faithful",
    ]


@pytest.mark.parametrize(("changed", "said"), [(False, False), (True, True)])
def test_another_data_set_is_told(folder, changed, said):
    lock = {"stages": {"download": {"outs": [{"path": "data/dataset", "md5": "a.dir"}]}}}
    (folder / "dvc.lock").write_text(json.dumps(lock))
    claim(folder)
    write_reports(folder / "reports", "faithful", np.arange(80) < 70, KEYS)
    if changed:
        (folder / "dvc.lock").write_text(json.dumps(lock).replace("a.dir", "b.dir"))
    (note,) = compared(folder, "past").notes
    assert ("its images may differ" in note) == said


def test_another_number_of_images_is_refused(folder):
    claim(folder, num_examples=79)
    write_reports(folder / "reports", "faithful", np.arange(80) < 70, KEYS)
    with pytest.raises(DataError, match=r"tested on different images \(80 with keys \w+ and 79\)"):
        compared(folder, "past")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", r"metrics\.json of .* found something else \(Expecting"),
        ("[]", r"metrics\.json of .* found something else"),
        ('{"faithful": {}}', r"metrics\.json of .* found something else \(it lacks train or evaluate\)"),
        ('{"optimized": {"train": {}, "evaluate": {}}}', "--rev past: expected the errors of faithful .*KeyError"),
        ('{"faithful": {"train": {}, "evaluate": {}}}', "--rev past: expected the errors of faithful .*KeyError"),
    ],
)
def test_a_foreign_file_of_metrics_is_one_sentence(folder, content, words):
    shutil.rmtree(folder / "reports")
    write_claim(folder, content)
    commit(folder, "past")
    with pytest.raises(DataError, match=words):
        compared(folder, "past")


def test_an_experiment_is_found_by_its_name(folder):
    claim(folder)
    own = experiment(folder, "brave-exp", "past")
    names = compared(folder, "brave-exp", own[:10]).comparison["variants"]
    assert names == ["faithful@brave-exp", f"faithful@{own[:10]}"]
    assert _commit(folder, "brave-exp") == own
    with pytest.raises(ConfigError, match=r"--rev brave: no Git revision or DVC experiment has that name"):
        compared(folder, "brave")


def test_of_two_experiments_of_one_name_that_of_head_is_meant_else_none(folder):
    claim(folder)
    first = experiment(folder, "brave-exp", "past")
    commit_all(folder, "next")
    second = experiment(folder, "brave-exp", "HEAD")
    assert _commit(folder, "brave-exp") == second
    commit_all(folder, "last")
    with pytest.raises(
        ConfigError, match=r"--rev brave-exp: 2 DVC experiments have that name .* such as --rev"
    ) as caught:
        _commit(folder, "brave-exp")
    assert first[:10] in str(caught.value)
    assert _commit(folder, str(caught.value).rpartition("--rev ")[2]) in (first, second)


def test_without_a_repository_no_revision_is_sought(folder):
    shutil.rmtree(folder / ".git")
    with pytest.raises(ConfigError, match=r"--rev HEAD: there is no Git repository here, .*; `git init`, "):
        compared(folder, "HEAD")


def test_a_revision_that_is_none_is_named_before_reports_are_read(folder):
    shutil.rmtree(folder / "reports")
    with pytest.raises(ConfigError, match=r"--rev nowhere: no Git revision or DVC experiment has that name"):
        compared(folder, "nowhere")


def test_a_past_variant_is_compared_with_the_first_of_its_name_whose_answers_are_known():
    known, gone = SimpleNamespace(correct={"ten_crop_top1": [True]}), SimpleNamespace(correct={})
    evaluations = dict.fromkeys(("faithful", "optimized", "faithful@a", "optimized@a", "new@a", "new@b"), known)
    assert _namesakes(evaluations) == {"faithful@a": "faithful", "optimized@a": "optimized", "new@b": "new@a"}
    assert _namesakes({"new@a": gone, "new@b": known, "new@c": known}) == {"new@c": "new@b"}


def test_equal_reports_differ_by_nothing(folder):
    comparison, _, notes = compared(folder)
    assert notes == []
    assert json.dumps(comparison["paired"]) == "{}"


@pytest.mark.parametrize("text", ["", "[", "{}x", "[3]", '[{"md5": "00"}]'])
def test_a_damaged_list_in_dvcs_cache_is_as_none(tmp_path, monkeypatch, text):
    monkeypatch.setattr(dvc_cache, "_folder", lambda _: tmp_path / "cache")
    (tmp_path / "cache/files/md5/ab").mkdir(parents=True)
    (tmp_path / "cache/files/md5/ab/cd.dir").write_text(text)
    assert not dvc_cache.link(Workspace(tmp_path, tmp_path), "abcd.dir", tmp_path / "place")
