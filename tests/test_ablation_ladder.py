"""`python -m benchmarks.ablations`: what it runs in which order, what it skips, what a failure leaves; tiny rungs."""

import json
import sys
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from clone import ROOT, Clone, edit

from pipeline.pages.result_tables import rendered
from pipeline.results.ablations import EXPERIMENT, FILE, plot, read_rungs, runs_of
from pipeline.results.kept import load

TINY = {
    "download.source": "sample",
    "download.sample.train_images_per_class": 8,
    "download.sample.validation_images_per_class": 2,
    "download.sample.test_images_per_class": 4,
    "validate.max_corrupt_share": 0.1,
    "variants.full.network.filters": [8, 16, 16, 16, 16],
    "variants.full.network.dense_units": [32, 32],
    "variants.full.training.epochs": 4,
    "variants.full.training.global_batch_size": 16,
}


@pytest.fixture
def ladder(tmp_path, monkeypatch):
    """A repository of two rungs, in which a run is kept at once; `failing` names a changed key whose runs fail."""
    from benchmarks import ablations
    from tests.pipeline.made_results import made, write

    (tmp_path / "docs").mkdir()
    text = (ROOT / FILE).read_text()
    (tmp_path / FILE).write_text(text[: text.index("paired_pooling:")])
    (tmp_path / "experiments").mkdir()
    (tmp_path / f"experiments/{EXPERIMENT}.yaml").touch()
    (tmp_path / "params.yaml").write_text(f"# EXPERIMENT {EXPERIMENT}: tiny\n")
    (tmp_path / "dvc.yaml").touch()
    state = SimpleNamespace(root=tmp_path, commands=[], failing="", options={})

    def run(command, cwd, check=False):
        assert cwd == tmp_path
        state.commands.append(command)
        if command[:2] == ["dvc", "exp"]:
            options = [each.removeprefix("-S=").partition("=") for each in command if each.startswith("-S=")]
            state.options = {key: json.loads(value) for key, _, value in options}
            return SimpleNamespace(returncode=int(any(key.endswith(state.failing or "?") for key in state.options)))
        if command[:2] == ["alexnet", "track"]:
            result = made(EXPERIMENT, "full", state.options["seed"], changes=state.options)
            result.row["standing"][0]["remake"] = {"curves": [{"step": 1, "values": {"train/top1_error": 0.5}}]}
            result.row["state"] = f"{len(state.commands):08d}"
            object.__setattr__(result, "correct", {"num": 8, "keys_sha256": "", "ten_crop_top1": "/w=="})
            write(tmp_path, result)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(ablations.subprocess, "run", run)
    monkeypatch.setattr(ablations, "find_workspace", lambda: SimpleNamespace(root=tmp_path))
    state.call = lambda *options: CliRunner().invoke(ablations.main, ["--seed", "2012", "--seed", "1", *options])
    return state


def runs(state):
    return [
        [each.removeprefix("-S=variants.full.") for each in command[3:-1]]
        for command in state.commands
        if "exp" in command
    ]


def test_the_whole_network_comes_first_and_what_is_kept_is_not_run_again(ladder):
    done = ladder.call()
    assert done.exit_code == 0, done.output
    rungs = [[], ["network.lrn=false"], ['network.lrn_scope="layer"']]
    assert runs(ladder) == [[f"-S=seed={seed}", *changes] for seed in (2012, 1) for changes in rungs]
    assert {command[-1] for command in ladder.commands if "exp" in command} == {"evaluate@full"}
    assert ladder.commands[0] == ladder.commands[-1] == ["alexnet", "use", EXPERIMENT, "--force"]
    assert "| +0.00 (+0.00 to +0.00) | 1, 2012 |" in done.output
    ladder.commands.clear()
    assert ladder.call("--only", "without_lrn").exit_code == 0
    assert runs(ladder) == []


def test_a_run_that_fails_is_named_and_the_others_are_run(ladder):
    ladder.failing = "network.lrn"
    done = ladder.call()
    assert done.exit_code == 1
    assert "not finished: without_lrn, seed 2012; without_lrn, seed 1; the reason is above" in done.output
    assert len(load(ladder.root / "results")) == 4
    ladder.failing = ""
    ladder.commands.clear()
    assert ladder.call().exit_code == 0
    assert runs(ladder) == [["-S=seed=2012", "network.lrn=false"], ["-S=seed=1", "network.lrn=false"]]


def test_what_cannot_be_run_is_one_sentence(ladder):
    assert "--only lrn: expected names of docs/ablations.yaml: without_lrn, " in ladder.call("--only", "lrn").output
    assert ladder.call("--dry-run").exit_code == 0
    (ladder.root / "params.yaml").write_text("# EXPERIMENT sample: other\n")
    assert f"`alexnet use {EXPERIMENT}` first" in " ".join(ladder.call().output.split())
    assert ladder.commands == []


@pytest.mark.slow
def test_two_rungs_are_trained_kept_and_shown(tmp_path):
    clone = Clone(tmp_path)
    edit(clone.root / f"experiments/{EXPERIMENT}.yaml", TINY)
    edit(clone.root / f"experiments/{EXPERIMENT}.yaml", {"images.enlarged.stored_size": 128})
    clone.run("git", "commit", "-qam", "tiny")
    clone.run("alexnet", "use", EXPERIMENT, "--force")
    command = [sys.executable, "-m", "benchmarks.ablations", "--seed", "1", "--only", "without_conv3", "--only", "adam"]
    clone.run(*command)
    results = load(clone.root / "results" / EXPERIMENT)
    rungs = read_rungs(clone.root)
    for changes in ({}, rungs["without_conv3"].overrides(), rungs["adam"].overrides()):
        assert list(runs_of(results, changes)) == [1]
    assert {len(each.right()) for each in results} == {40}
    again = clone.run(*command)
    assert "dvc exp run" not in again.stdout
    assert again.stdout.count("| 1 | one seed |") == 1  # the paper claims nothing of Adam
    page = rendered(clone.root, (clone.root / "docs/ablations.md").read_text())
    assert page.count("| 1 |") == 2
    assert "](img/ablations.png)" in page
    assert len(plot(clone.root) or b"") > 5000
