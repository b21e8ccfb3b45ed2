"""A fresh clone: what the real `dvc repro` runs, caches and leaves behind, and then every command of the README."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess

import pytest
from clone import EPOCHS, README_COMMANDS, Clone
from waiting import wait_until

from pipeline.tracking import uploads
from tests.ports import await_mlflow

VARIANTS = ("faithful", "optimized")
ERRORS = ("top1_error", "top5_error")
ALL_STAGES = {
    "download",
    "validate",
    "preprocess@large",
    "preprocess@small",
    "statistics@large",
    "statistics@small",
    *(f"{stage}@{variant}" for stage in ("train", "evaluate", "export") for variant in VARIANTS),
    "compare",
}
pytestmark = pytest.mark.timeout(3600)


OFFLINE = """
import sys

def refuse(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple) and arguments[1][0] not in ("127.0.0.1", "::1"):
        raise OSError(101, f"no network here: {arguments[1]}")
    if event == "socket.getaddrinfo" and arguments[0] not in (None, "", "localhost", "127.0.0.1", "::1"):
        raise OSError(101, f"no network here: {arguments[0]}")

sys.addaudithook(refuse)
"""
"""A sitecustomize.py with which no Python process gets beyond loopback."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    """After a first run without a network."""
    folder = tmp_path_factory.mktemp("e2e")
    made = Clone(folder)
    (folder / "offline").mkdir()
    (folder / "offline/sitecustomize.py").write_text(OFFLINE)
    made.settings["PYTHONPATH"] = f"{folder / 'offline'}{os.pathsep}{made.root}"
    beyond = ["-c", "import socket; socket.create_connection(('192.0.2.1', 9), timeout=1)"]
    assert "no network here" in made.run("python", *beyond, check=False).stderr
    made.first_run, made.first_told = made.stages_run(), made.told
    del made.settings["PYTHONPATH"]
    return made


def test_the_first_run_runs_every_stage_and_leaves_every_output(clone):
    assert sorted(clone.first_run) == sorted(ALL_STAGES)
    for variant in VARIANTS:
        metrics = json.loads((clone.root / f"reports/evaluate/{variant}/metrics.json").read_text())
        assert metrics["num_examples"] == 20
        assert 0 <= metrics["ten_crop"]["top1_error"] <= 1
        assert (clone.root / f"models/{variant}/weights.safetensors").exists()
        blessing = json.loads((clone.root / f"exports/{variant}/blessing.json").read_text())
        assert blessing["blessed"] == (variant == "optimized")  # the other's gate is 0
        assert (clone.root / f"exports/{variant}/saved_model").exists() == blessing["blessed"]
    assert list(clone.root.rglob("*.partial")) == []


_INTERVAL = r"[\d.]+ % \([\d.]+ to [\d.]+\)"
FOUND = {
    "download": r"120 images in 10 classes: train 80, validation 20, test 20$",
    "validate": r"120 images, ",
    "preprocess": r"1\d\d images of (256 x 256|48 x 48) pixels: train \d\d, validation 20, test 20; \d rejected",
    "statistics": r"\d\d training images: mean R [\d.]+, G .*, B .*; standard deviations along the colour axes ",
    **{f"train@{variant}": f"validation error .* after epoch {epochs} " for variant, epochs in EPOCHS.items()},
    "evaluate": rf"top-1 error {_INTERVAL} with ten crops, {_INTERVAL} with the centre crop, of 20 test images; ",
    "compare": r"optimized has a top-1 error of .*, faithful ",
    "export@optimized": r"passed its gate: ",
    "export@faithful": r"not exported: ",
}
"""How a stage's last line begins: facts of this run, and whole sentences where no test of the stage has them."""


def test_every_stage_says_where_it_is_in_the_pipeline_and_what_it_found(clone):
    lines = clone.first_told.splitlines()
    for number, address in enumerate(clone.first_run, start=1):
        assert f"{address} (stage {number} of 13)" in lines
        found = [line for line in lines if line.startswith(f"{address}: ")][-1]  # after its progress
        expected = FOUND.get(address) or FOUND[address.partition("@")[0]]
        assert re.match(f"{address}: {expected}", found), found
        if address.startswith("train"):
            epochs = EPOCHS[address.partition("@")[2]]
            assert any(line.startswith(f"epoch {epochs} of {epochs}: training error ") for line in lines)


def test_no_line_is_a_librarys_own(clone):
    """DVC's own are of standard output; what MLflow, TensorFlow or Beam would say looks like a log."""
    assert not re.findall(r"^.*(?:absl|I0000|E0000|oneDNN|alembic|WARNING|INFO).*$", clone.first_told, re.MULTILINE)


def test_a_second_run_runs_nothing(clone):
    done = clone.run("dvc", "repro")
    assert "Running stage" not in done.stdout
    assert "up to date" in done.stdout


def test_runtime_settings_rerun_nothing(clone):
    clone.edit("runtime.beam_workers", 1)
    assert clone.stages_run() == []


def test_mlflow_holds_one_row_a_variant_with_stages_below(clone):
    assert uploads.wait(clone.root, 120)
    with contextlib.closing(sqlite3.connect(clone.root / "mlflow.db")) as database:
        rows = database.execute(
            "select run_uuid, name from runs where run_uuid not in "
            "(select run_uuid from tags where key = 'mlflow.parentRunId')"
        ).fetchall()
        # Rows are named by the variant and what differs from the experiment's file, here nearly everything.
        assert sorted(name.split()[0] for _, name in rows) == sorted(VARIANTS)
        for run, name in rows:
            keys = {key for (key,) in database.execute("select key from latest_metrics where run_uuid = ?", (run,))}
            assert any("top1_error" in key for key in keys), (name, keys)
            params = {key for (key,) in database.execute("select key from params where run_uuid = ?", (run,))}
            assert any(key.endswith("optimizer.learning_rate") for key in params), (name, params)
            below = "select count(*) from tags where key = 'mlflow.parentRunId' and value = ?"
            assert database.execute(below, (run,)).fetchone()[0] == 8
            tags = dict(database.execute("select key, value from tags where run_uuid = ?", (run,)))
            assert tags["alexnet.complete"] == "true"
            stored = json.loads((clone.root / f"reports/evaluate/{name.split()[0]}/metrics.json").read_text())
            (value,) = database.execute(
                "select value from latest_metrics where run_uuid = ? and key = 'test/ten_crop/top1_error'", (run,)
            ).fetchone()
            assert value == stored["ten_crop"]["top1_error"]
        exported = database.execute("select name, alias, version from registered_model_aliases").fetchall()
        assert exported == [("alexnet-optimized", "challenger", 1)]


def test_the_report_needs_no_network(clone):
    (clone.root / "reports/report.html").unlink()
    said = clone.run("alexnet", "report").stdout
    assert "top-1 error, ten crops" in said
    assert "reports/report.html" in said
    page = (clone.root / "reports/report.html").read_text()
    assert "faithful" in page
    assert "optimized" in page
    assert 'src="http' not in page
    assert "<script src" not in page


def test_the_run_is_told_to_be_that_of_its_commit(clone):
    said = clone.run("alexnet", "report").stdout.splitlines()
    assert said[-1].startswith("no committed run to compare faithful and optimized with")  # as the run is small
    assert "`git restore params.yaml dvc.lock metrics.json`" in said[-2]
    with committed(clone):
        told = clone.run("alexnet", "report").stdout.splitlines()[-1]
        assert told.startswith("bit-identical to the committed run: all 17")


def test_a_committed_stage_is_reproduced(clone):
    with committed(clone):
        certificate = json.loads(clone.run("alexnet", "verify", "evaluate@optimized", "--json").stdout)
    assert certificate["verdict"] == "reproduced", certificate["outputs"]
    assert [each["path"] for each in certificate["outputs"]] == ["reports/evaluate/optimized"]


@pytest.mark.slow
def test_a_rerun_gives_the_same_bytes(clone):
    with committed(clone):
        certificate = json.loads(clone.run("alexnet", "verify", "--json").stdout)
    assert len(certificate["outputs"]) == 17
    assert [each for each in certificate["outputs"] if each["claimed"] != each["reproduced"]] == []
    assert set(certificate["stages"]) == ALL_STAGES
    assert certificate["verdict"] == "reproduced"


@contextlib.contextmanager
def committed(clone):
    """For the while, what the run left in the tree is a commit."""
    tree = clone.run("git", "status", "--porcelain").stdout.split()
    clone.run("git", "add", "-A")
    clone.run("git", "commit", "-qm", "this run")
    try:
        yield
    finally:
        clone.run("git", "reset", "-q", "--mixed", "HEAD^")
    assert clone.run("git", "status", "--porcelain").stdout.split() == tree


def compared(clone):
    return json.loads(clone.run("alexnet", "report", "--json").stdout)["comparison"]


def errors_of(comparison, variant):
    """What a report says of a variant's test errors, named as DVC flattens metrics.json."""
    views = comparison["errors"][variant].items()
    return {f"{view}.{error}": views_of[error]["value"] for view, views_of in views for error in ERRORS}


def test_the_report_is_an_artifact_of_the_rows(clone):
    assert uploads.wait(clone.root, 120)
    pages = list(clone.root.glob("mlruns/*/artifacts/report.html"))
    assert len(pages) == len(VARIANTS) + 1  # of the rows and of the run of `compare`
    for page in pages:
        assert "What the models see" in page.read_text()


def test_dvc_shows_the_numbers_of_the_report(clone):
    comparison = compared(clone)
    shown = json.loads(clone.run("dvc", "exp", "show", "--json").stdout)[0]
    assert shown["rev"] == "workspace"
    metrics = shown["data"]["metrics"]["metrics.json"]["data"]
    for variant in VARIANTS:
        evaluated = metrics[variant]["evaluate"]
        for view in ("center", "ten_crop"):
            for error in ERRORS:
                assert evaluated[view][error] == comparison["errors"][variant][view][error]["value"]
        assert metrics[variant]["train"] == comparison["training"][variant]
    plots = json.loads(clone.run("dvc", "plots", "show", "--json").stdout)["data"]
    for title, column in (("validation top-1 error", "validation_top1_error"), ("training loss", "train_loss")):
        (plot,) = plots[title]
        points = plot["content"]["data"]["values"]
        for variant in VARIANTS:
            mine = [float(point[column]) for point in points if variant in point["filename"]]
            assert mine == comparison["curves"][variant][column], title
            assert mine


DRY = {"make repro": "make -n repro", "make test": "make -n test", "source .venv/bin/activate": "true"}
"""`make` would build an environment here; that it does is CI's own first step."""
SERVERS = ("mlflow ui", "alexnet ui")
"""They run until they are stopped; tests/pipeline/commands/test_ui.py holds the second."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("command", [command for command in README_COMMANDS if command not in SERVERS])
def test_a_readme_command_runs(clone, command):
    if command == "dvc repro" or command.startswith("dvc exp run"):
        command += " download"  # the fixture and other tests run all stages
    command = DRY.get(command, command)
    if command.startswith("alexnet use"):
        command += " --dry-run --force"
    clone.run("bash", "-c", command)


@pytest.mark.slow
def test_the_server_of_mlflow_answers_on_loopback(clone, free_port):
    server = subprocess.Popen(
        [*SERVERS[0].split(), "--port", str(free_port), "--workers", "1"], cwd=clone.root, env=clone.environment(),
        start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await_mlflow(free_port, server)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def test_a_training_that_was_killed_goes_on_to_the_weights_of_one_that_was_not(clone):
    clone.run("git", "restore", "params.yaml")  # README's commands have changed it
    weights = clone.root / "models/optimized/weights.safetensors"
    uninterrupted = weights.read_bytes()
    command = ["alexnet", "train", "optimized"]
    often = [*command, "--fresh", "-S", "runtime.checkpoint_interval_seconds=0.01"]
    stage = subprocess.Popen(
        often, cwd=clone.root, env=clone.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        checkpoints = ".alexnet/checkpoints/*/checkpoint.safetensors"
        wait_until(lambda: list(clone.root.glob(checkpoints)), 300, process=stage)
        assert stage.poll() is None  # it is killed with a checkpoint to go on from
    finally:
        stage.kill()
        stage.wait()
    assert weights.read_bytes() == uninterrupted  # no half-written model
    weights.unlink()
    clone.run(*command)
    assert weights.read_bytes() == uninterrupted
    assert not list(clone.root.glob(".alexnet/checkpoints/*/checkpoint.safetensors"))
    newest = max(clone.root.glob(".alexnet/timings/train-optimized-*.json"), key=lambda path: path.stat().st_mtime_ns)
    assert json.loads(newest.read_text())["cost"]["earlier_wall_seconds"] > 0  # it went on from the checkpoint


def test_one_training_parameter_of_one_variant_changes_its_training_alone(clone):
    assert json.loads(clone.run("dvc", "status", "--json").stdout) == {}
    clone.edit("variants.optimized.training.epochs", 4)
    changed = json.loads(clone.run("dvc", "status", "--json").stdout)
    # What reads the model follows once that has changed; `compare` shows the parameters of all variants.
    assert set(changed) == {"train@optimized", "compare"}


@pytest.mark.slow
def test_one_training_parameter_of_one_variant_reruns_that_variant_alone(clone):
    clone.run("git", "restore", "params.yaml")
    clone.run("git", "add", "dvc.lock", "metrics.json")
    clone.run("git", "commit", "-qm", "the first run")
    before = compared(clone)
    clone.edit("variants.optimized.training.epochs", 4)
    assert set(clone.stages_run()) == {"train@optimized", "evaluate@optimized", "export@optimized", "compare"}
    found = json.loads(clone.run("dvc", "metrics", "diff", "--json").stdout)
    assert list(found) == ["metrics.json"]
    assert {name.partition(".")[0] for name in found["metrics.json"]} == {"optimized"}
    prefix = "optimized.evaluate."
    changed = {name.removeprefix(prefix): each for name, each in found["metrics.json"].items() if prefix in name}
    old, new = (errors_of(each, "optimized") for each in (before, compared(clone)))
    assert changed["center.mean_loss"]["old"] == before["errors"]["optimized"]["center"]["mean_loss"]
    assert changed["center.mean_loss"]["old"] != changed["center.mean_loss"]["new"]
    for name in old:  # what did not change is not listed
        said = changed.get(name, {"old": old[name], "new": old[name]})
        assert (said["old"], said["new"]) == (old[name], new[name])


def test_without_git_it_says_what_is_different_and_works(tmp_path):
    bare = Clone(tmp_path, git=False)
    said = bare.run("alexnet", "setup")
    assert "git" in (said.stdout + said.stderr).lower()
    bare.run("dvc", "repro", "download")
    assert (bare.root / "data/dataset/manifest.json").exists()
