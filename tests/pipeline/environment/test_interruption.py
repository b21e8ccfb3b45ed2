"""Signals to a stage in a process of its own, started by hand and by the real `dvc`."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest
import stub_stages
from dvc_repository import Repository
from waiting import wait_until

# Takes steps until it is to stop, then takes as long to save as `save_seconds` says.
TRAINING = """
import os, pathlib, stub_stages, sys, time
from alexnet_tf.errors import Stopped
stub = stub_stages.modules()['components.download']
def run(inputs, outputs, params, runtime):
    outputs.dataset.mkdir()
    runtime.stop.heeded = True
    pathlib.Path('stepping').touch()
    while not runtime.stop.asked:
        time.sleep(0.01)
    pathlib.Path('saving').touch()
    time.sleep(float(os.environ['SAVE_SECONDS']))
    pathlib.Path('saved').touch()
    raise Stopped('stopped after step 3 of 9, epoch 1 of 3; this is saved, and the same command goes on from there')
stub.run = run
sys.modules[__name__] = stub
"""
SENTENCE = "download: stopped after step 3 of 9, epoch 1 of 3; this is saved, and the same command goes on from there"


@pytest.fixture
def start():
    """Start processes in groups of their own; all are gone when the test ends."""
    started = []

    def process(command, folder, environment, *, save_seconds=0.0):
        settings = {"SAVE_SECONDS": str(save_seconds), "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
        child = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(child)
        wait_until((folder / "stepping").exists)
        return child

    yield process
    for child in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()


@pytest.fixture
def by_hand(tmp_path, start):
    """Start the stage by hand."""
    folder = stub_stages.make_repository(tmp_path / "copy")

    def run(save_seconds=0.0, component=TRAINING):
        (folder / "components/download.py").write_text(component)
        command = [sys.executable, "-m", "pipeline", "download"]
        environment = os.environ | {"PYTHONPATH": str(folder)}
        return folder, start(command, folder, environment, save_seconds=save_seconds)

    return run


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=lambda value: str(value),
)
def test_a_stage_that_heeds_a_stop_has_the_time_to_save(by_hand, number, code):
    folder, child = by_hand(save_seconds=0.5)
    child.send_signal(number)
    output, _ = child.communicate(timeout=30)
    assert child.returncode == code
    assert "ending this step and saving a checkpoint; one more Ctrl-C leaves at once" in output
    assert SENTENCE in output
    assert "Traceback" not in output
    assert (folder / "saved").exists()
    assert not list((folder / "data").iterdir())


def test_a_second_ctrl_c_leaves_at_once(by_hand):
    folder, child = by_hand(save_seconds=60)
    child.send_signal(signal.SIGINT)
    wait_until((folder / "saving").exists)
    child.send_signal(signal.SIGINT)
    assert child.wait(10) == -signal.SIGINT
    assert not (folder / "saved").exists()


def test_sigterm_twice_is_sigterm_once(by_hand):  # as `timeout` sends it
    folder, child = by_hand(save_seconds=1)
    child.send_signal(signal.SIGTERM)
    wait_until((folder / "saving").exists)
    child.send_signal(signal.SIGTERM)
    output, _ = child.communicate(timeout=30)
    assert child.returncode == 143
    assert SENTENCE in output


BUSY = """
import hashlib, pathlib, stub_stages, sys
stub = stub_stages.modules()['components.download']
def run(inputs, outputs, params, runtime):
    outputs.dataset.mkdir()
    pathlib.Path('stepping').touch()
    hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)  # one call for many minutes, as of a compiler
stub.run = run
sys.modules[__name__] = stub
"""


def test_a_long_call_in_which_nothing_can_be_saved_is_left(by_hand):
    folder, child = by_hand(component=BUSY)
    time.sleep(2)  # for the call to have begun
    child.send_signal(signal.SIGTERM)
    output, _ = child.communicate(timeout=20)
    assert child.returncode == 143
    assert "download: interrupted; the same command starts it again" in output
    # The next run clears it away.
    assert [path.name for path in (folder / "data").iterdir()] == [".dataset.partial"]


@pytest.fixture
def under_dvc(tmp_path, start):
    """Start the stage by `dvc repro` in a shell line."""
    made = Repository(tmp_path)
    (made.root / "components/download.py").write_text(TRAINING)

    def run(line):
        environment = made.environment() | {"SHELL": "/bin/bash"}
        return made.root, start(["bash", "-c", line], made.root, environment, save_seconds=1)

    return run


@pytest.mark.parametrize(
    ("line", "number"),
    [("exec dvc repro download", signal.SIGINT), ("trap '' TERM; exec dvc repro download", signal.SIGTERM)],
    ids=["Ctrl-C", "SIGTERM that DVC ignores"],
)
def test_dvc_waits_for_the_stage_to_save(under_dvc, line, number):
    folder, child = under_dvc(line)
    os.killpg(child.pid, number)
    output, _ = child.communicate(timeout=60)
    assert (folder / "saved").exists()
    assert SENTENCE in output
    assert f"exited with {128 + number}" in output
    assert child.returncode == 255
    assert not (folder / "dvc.lock").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells a process that its parent has ended")
@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["to dvc alone", "to the group"])
def test_a_stage_saves_also_when_dvc_is_ended_by_sigterm(under_dvc, send):
    folder, child = under_dvc("exec dvc repro download")
    send(child.pid, signal.SIGTERM)
    assert child.wait(30) == -signal.SIGTERM
    wait_until((folder / "saved").exists, 30)
    assert SENTENCE in child.communicate(timeout=30)[0]  # it has the end of the pipe until it is gone
