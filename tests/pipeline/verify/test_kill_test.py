"""`alexnet train --kill-test` on the generated sample, with one replica and with two."""

import re
import subprocess
import sys
import types

import pytest
from waiting import wait_until

from pipeline.environment.workspace import Workspace
from pipeline.verify import kill_test
from tests.clone import Clone

TRAINING = {"epochs": 24, "weight_averaging": 0.9, "keep": "best"}
SMALL = ["-S", "download.sample.train_images_per_class=60"]
SMALL += [word for key, value in TRAINING.items() for word in ("-S", f"variants.optimized.training.{key}={value}")]
"""With all that a checkpoint can hold."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    clone = Clone(tmp_path_factory.mktemp("kill_test"))
    for stage in (["download"], ["validate"], ["preprocess", "small"], ["statistics", "small"]):
        clone.run("alexnet", *stage, *SMALL)
    return clone


@pytest.mark.slow
@pytest.mark.parametrize("devices", ["[]", "[CPU:0, CPU:1]"], ids=["one replica", "two replicas"])
def test_a_training_that_is_killed_ends_at_the_bytes_of_one_that_is_not(clone, devices):
    done = clone.run("alexnet", "train", "optimized", "--kill-test", "4", "-S", f"runtime.devices={devices}", *SMALL)
    assert re.search(
        r"killed [1-4] times, [1-4] of them resumed from a checkpoint, [12] while one was being written", done.stdout
    )
    assert "every byte of models/optimized and reports/train/optimized equals the uninterrupted" in done.stdout
    assert not (clone.root / "models").exists()  # it checks, and makes nothing
    assert not list((clone.root / ".alexnet" / "kill_test").iterdir())


CHILD = """
import pathlib, sys, time
place = pathlib.Path(sys.argv[1])
checkpoint, model = place / ".alexnet/checkpoints/x/checkpoint.safetensors", place / "models/optimized"
resumed = checkpoint.exists()
if not resumed:
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.write_text("half")
    time.sleep(0.3 if place.name == "whole" else 20)
model.mkdir(parents=True, exist_ok=True)
(model / "weights").write_text("{right}" if not resumed else "{resumed}")
checkpoint.unlink()
"""


@pytest.mark.parametrize(("resumed", "differing"), [("as trained", ()), ("other", ("models/optimized/weights",))])
def test_what_is_compared_was_killed_and_resumed(tmp_path, monkeypatch, resumed, differing):
    """Also where the resumed training is over before the next kill: a fresh one would hide what came out of it."""
    code = CHILD.replace("{right}", "as trained").replace("{resumed}", resumed)

    def train(folder, variant, changes):
        return subprocess.Popen([sys.executable, "-S", "-E", "-c", code, folder])

    def make(folder, root):
        folder.mkdir(parents=True)
        return folder

    def wait(child, folder, seconds, *, for_write):
        """Kill the first one once it has a checkpoint; the second one is faster."""
        checkpoint = folder / ".alexnet/checkpoints/x/checkpoint.safetensors"
        if not kills:
            wait_until(checkpoint.exists, process=child)
        else:
            child.wait()
        kills.append(child)
        return False

    kills = []
    item = types.SimpleNamespace(key="optimized", outputs=lambda: {"model": "models/optimized"})
    monkeypatch.setattr(kill_test.sandbox, "make", make)
    monkeypatch.setattr(kill_test.sandbox, "train", train)
    monkeypatch.setattr(kill_test, "_wait", wait)
    verdict = kill_test.kill_test(Workspace(tmp_path, tmp_path), item, (), 5, lambda line: None)
    assert (verdict.kills, verdict.resumable, verdict.differing) == (1, 1, differing)
