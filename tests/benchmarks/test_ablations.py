"""`python -m benchmarks.ablations`: what it runs in which order, what it skips, what a failure leaves; tiny rungs."""

import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from clone import ROOT, Clone, edit
from waiting import wait_until

from pipeline.environment.interruption import Interrupted
from pipeline.pages.result_tables import rendered
from pipeline.results import lost_trainings
from pipeline.results.ablations import EXPERIMENT, plot, runs_of
from pipeline.results.kept import load
from pipeline.results.rungs import FILE, read_rungs

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
    """A repository of two rungs, in which a run is kept at once; `failing` names a changed key whose runs fail.

    `says` is what a failing run writes to standard error, `cpu` the processor of this machine.
    """
    from benchmarks import ablations
    from tests.pipeline.made_results import made, write

    (tmp_path / "docs").mkdir()
    text = (ROOT / FILE).read_text()
    (tmp_path / FILE).write_text(text[: text.index("paired_pooling:")])
    (tmp_path / "experiments").mkdir()
    (tmp_path / f"experiments/{EXPERIMENT}.yaml").touch()
    (tmp_path / "params.yaml").write_text(f"# EXPERIMENT {EXPERIMENT}: tiny\n")
    (tmp_path / "dvc.yaml").write_text("stages: {download: {cmd: alexnet download}}\n")
    state = SimpleNamespace(root=tmp_path, commands=[], failing="", says="no disk", cpu="One, avx2", options={})

    def run(command, root):
        assert root == tmp_path
        state.commands.append(command)
        if command[:2] == ["dvc", "exp"]:
            options = [each.removeprefix("-S=").partition("=") for each in command if each.startswith("-S=")]
            state.options = {key: json.loads(value) for key, _, value in options}
            if any(key.endswith(state.failing or "?") for key in state.options):
                return 1, f"error: {state.says}\nERROR: failed to reproduce 'train@full': exited with 1\n"
        if command[:2] == ["alexnet", "track"]:
            result = made(EXPERIMENT, "full", state.options["seed"], changes=state.options)
            result.row["standing"][0]["remake"] = {"curves": [{"step": 1, "values": {"train/top1_error": 0.5}}]}
            result.row["state"] = f"{len(state.commands):08d}"
            result.row["tags"] |= {"host.cpu": state.cpu, "mlflow.source.git.commit": "0123456789abcdef"}
            object.__setattr__(result, "correct", {"num": 8, "keys_sha256": "", "ten_crop_top1": "/w=="})
            write(tmp_path, result)
        return 0, ""

    monkeypatch.setattr(ablations, "run", run)
    monkeypatch.setattr(ablations, "provenance_tags", lambda root: {"host.cpu": state.cpu})
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
    named = "not finished: without_lrn, seed 2012; without_lrn, seed 1; the reason is above"
    assert 0 < done.output.index(named) < done.output.index("| change |")
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


def test_a_training_that_comes_to_nothing_is_noted_and_not_run_again(ladder):
    ladder.failing, ladder.says = "network.lrn", "the loss is nan at step 5 of 9: training diverged; lower the rate"
    done = ladder.call()
    assert done.exit_code == 0, done.output
    assert "| did not train with seeds 1, 2012 |" in done.output
    noted = lost_trainings.read(ladder.root)
    assert [(each.rung, each.seed, each.error, each.processor) for each in noted] == [
        ("without_lrn", seed, ladder.says, ladder.cpu) for seed in (1, 2012)
    ]
    ladder.commands.clear()
    assert ladder.call().exit_code == 0
    assert runs(ladder) == []


def test_without_the_whole_network_there_is_nothing_to_compare_with(ladder):
    ladder.failing, ladder.says = (
        "seed",
        "the mean loss is 2.3, still that of guessing, 2.3: nothing was learnt; try another seed",
    )
    done = ladder.call()
    assert done.exit_code == 0, done.output
    assert runs(ladder) == [["-S=seed=2012"], ["-S=seed=1"]]
    assert "The whole network did not train with seeds 1, 2012." in done.output


def test_a_seed_of_another_machine_is_refused_before_anything_is_run(ladder):
    assert ladder.call("--seed", "2012", "--only", "without_lrn").exit_code == 0
    ladder.commands.clear()
    ladder.cpu = "Two, avx2"
    done = ladder.call("--seed", "3")
    assert done.exit_code == 1
    words = " ".join(done.output.split())
    assert words.startswith("error: results/ablations_cifar10/full-seed1-")
    assert "is of One, avx2, and this machine has Two, avx2, where other runs of seed 1 cannot be compared" in words
    assert words.endswith("run them on that kind of machine, or other seeds here: --seed 3")
    assert ladder.commands == []
    assert ladder.call("--only", "without_lrn").exit_code == 0  # all are kept
    assert "or other seeds here: --seed NUMBER" in ladder.call().output


def test_a_seed_of_other_code_is_refused_before_anything_is_run(ladder, monkeypatch):
    from benchmarks import ablations

    assert ladder.call("--seed", "2012", "--only", "without_lrn").exit_code == 0
    ladder.commands.clear()
    asked = []
    monkeypatch.setattr(ablations, "git", lambda root, *words: asked.append(words) or "alexnet_tf/models/lrn.py")
    done = ladder.call("--seed", "3")
    words = " ".join(done.output.split())
    assert done.exit_code == 1
    assert "since which alexnet_tf/models/lrn.py changed, so other runs of seed 1 cannot be compared with it" in words
    assert words.endswith("run them in a clone at that commit, or other seeds here: --seed NUMBER")
    assert asked[0][:3] == ("diff", "--name-only", "0123456789abcdef")
    assert ladder.commands == []
    assert ladder.call("--only", "without_lrn").exit_code == 0  # all are kept


def test_results_that_do_not_belong_together_are_one_sentence(ladder):
    assert ladder.call().exit_code == 0
    first = next(iter(sorted((ladder.root / "results").rglob("*.json"))))
    first.with_name(first.name.replace("-seed", "-other-seed")).write_text(first.read_text())
    done = ladder.call()
    assert done.exit_code == 1
    assert done.output.startswith("error: results/")
    assert "have the same change, seed and processor; remove one of them" in done.output


# As a stage does: it saves when it is asked to end, which takes a while. The shell above it ends at once, as `dvc`.
STAGE = """
import pathlib, signal, sys, time
def save(*_):
    print('saving', file=sys.stderr, flush=True)
    time.sleep(0.5)
    pathlib.Path('saved').touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
pathlib.Path('running').touch()
time.sleep(60)
"""
LADDER = """
import sys
from pathlib import Path
from types import SimpleNamespace
from benchmarks import ablations
ablations.find_workspace = lambda: SimpleNamespace(root=Path.cwd())
ablations.RESET = ['true']
ablations.commands = lambda seed, changes: [['sh', '-c', '"$0" stage.py; true', sys.executable], ['touch', 'next']]
ablations.main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_passed_on_and_awaited_and_nothing_more_is_run(ladder, number):
    (ladder.root / "stage.py").write_text(STAGE)
    (ladder.root / "ladder.py").write_text(LADDER)
    command = [sys.executable, "ladder.py", "--seed", "1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ladder.root, env=environment, stderr=subprocess.PIPE, text=True) as process:
        wait_until((ladder.root / "running").exists, process=process)
        process.send_signal(number)
        said = process.stderr.read()
    assert process.returncode == 128 + number
    assert said.startswith("saving\n")
    assert "stopped; the ladder goes on from there when it is started again" in said
    assert (ladder.root / "saved").exists()
    assert not (ladder.root / "next").exists()


@pytest.mark.parametrize("end", ["kill -INT $$", "exit 143", 'echo "train full, exited with 130" >&2; exit 255'])
def test_a_run_that_was_stopped_itself_stops_the_ladder(tmp_path, end):
    from benchmarks import ablations

    with pytest.raises(Interrupted, match="was stopped; the ladder goes on from there") as caught:
        ablations.run(["sh", "-c", end], tmp_path)
    assert caught.value.exit_code == 143
    assert ablations.run(["sh", "-c", "echo told >&2; exit 3"], tmp_path) == (3, "told\n")


@pytest.mark.slow
def test_two_rungs_are_trained_kept_and_shown(tmp_path):
    clone = Clone(tmp_path)
    edit(clone.root / f"experiments/{EXPERIMENT}.yaml", TINY)
    edit(clone.root / f"experiments/{EXPERIMENT}.yaml", {"images.enlarged.stored_size": 128})
    (clone.root / lost_trainings.FILE).unlink(missing_ok=True)
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
    assert again.stdout.count("| 1 | 1 of 3 seeds |") == 1  # the paper claims nothing of Adam
    page = rendered(clone.root, (clone.root / "docs/ablations.md").read_text())
    assert page.partition("## The runs")[0].count("| 1 |") == 4  # two in each table
    assert "](img/ablations.png)" in page
    assert len(plot(clone.root) or b"") > 5000
