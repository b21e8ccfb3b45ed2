"""The stage train in two processes over loopback, as on two hosts."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack

import numpy as np
import pytest

from alexnet_tf.models.weights import load_arrays
from alexnet_tf.training.checkpoint import read_state
from tests.alexnet_tf.small_training import alexnet, alexnet_bn
from tests.components.test_train import parameters, write_records

CHILD = """
import sys
from pathlib import Path
from alexnet_tf.training import loop as fit
from alexnet_tf.errors import AlexNetError
fit.SECONDS_PER_CALL = float(sys.argv[4])
from components import train
from components.interfaces import Runtime
from pipeline.environment.interruption import Interruption
params = train.Params.model_validate_json(Path(sys.argv[1]).read_text())
inputs = train.Inputs(Path(sys.argv[2]) / "records", Path(sys.argv[2]) / "statistics")
out = Path(sys.argv[3])
interval, fingerprint, devices = float(sys.argv[5]), sys.argv[6], tuple(sys.argv[7:])
runtime = Runtime(devices=devices, scratch=out / fingerprint, checkpoint_interval_seconds=interval)
try:
    with Interruption(runtime.stop, "train").heard():
        train.run(inputs, train.Outputs(out / "model", out / "report"), params, runtime)
except AlexNetError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""
WRITTEN = ("model/weights.safetensors", "model/model.json", "report/history.csv", "report/metrics.json")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return write_records(tmp_path_factory.mktemp("data"))


@pytest.fixture
def start(inputs, tmp_path, root):
    """Start processes that train the same; all are gone when the test ends."""
    started = []

    def process(
        name,
        params,
        *,
        config=None,
        seconds_per_call=0.0,
        interval=-1.0,
        devices=(),
        fingerprint="fingerprint",
        before="",
    ):
        out = tmp_path / name
        out.mkdir(exist_ok=True)
        (out / "params.json").write_text(params.model_dump_json())
        arguments = [out / "params.json", inputs.records.parent, out, seconds_per_call, interval, fingerprint, *devices]
        environment = {**os.environ, **({"TF_CONFIG": json.dumps(config)} if config else {})}
        command = [sys.executable, "-c", before + CHILD, *map(str, arguments)]
        with (out / "log.txt").open("wb") as log:
            child = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=log)
        started.append(child)
        return child

    yield process
    for child in started:
        child.kill()
        child.wait()


def configs(count=2):
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        ports = [listener.getsockname()[1] for listener in listeners]  # all different, as all are taken
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    return [{"cluster": cluster, "task": {"type": "worker", "index": index}} for index in range(count)]


def pair(start, params, names=("a", "b"), interval=-1.0):
    """Start both workers; by its own clock the chief would take several steps a call, the second one a single one."""
    return [
        start(name, params, config=config, seconds_per_call=seconds, interval=interval)
        for name, config, seconds in zip(names, configs(), (60.0, 0.0), strict=True)
    ]


def log(tmp_path, name):
    return (tmp_path / name / "log.txt").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("network", [alexnet(weight_stddev=[0.1] * 8), alexnet_bn()], ids=["2012", "bn"])
def test_two_processes_reach_the_weights_of_one(start, tmp_path, network):
    params = parameters(network, epochs=3, keep="best")
    workers = pair(start, params)
    assert [child.wait(300) for child in workers] == [0, 0], log(tmp_path, "a") + log(tmp_path, "b")
    for name in WRITTEN:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    assert not (tmp_path / "b" / "fingerprint").exists()  # the chief alone keeps checkpoints
    assert start("one", params, devices=("CPU:0", "CPU:1")).wait(300) == 0, log(tmp_path, "one")
    one, two = (load_arrays(tmp_path / name / "model" / "weights.safetensors")[0] for name in ("one", "a"))
    for name, expected in one.items():
        np.testing.assert_allclose(two[name], expected, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.slow
def test_a_lost_worker_ends_the_other_with_a_sentence_and_both_go_on_later(start, tmp_path):
    params = parameters(alexnet_bn(), epochs=40)
    assert [child.wait(300) for child in pair(start, params, ("whole a", "whole b"))] == [0, 0]
    chief, other = pair(start, params)
    checkpoint = tmp_path / "a" / "fingerprint" / "checkpoint.safetensors"
    while chief.poll() is None and not checkpoint.exists():
        time.sleep(0.05)
    os.kill(other.pid, signal.SIGKILL)
    assert chief.wait(120) == 1, log(tmp_path, "a")
    assert "TrainingError: worker 0 lost contact with another one of 127.0.0.1:" in log(tmp_path, "a")
    assert "start the same command again on every host" in log(tmp_path, "a")
    assert checkpoint.exists()
    assert not (tmp_path / "a" / "model").exists()
    assert [child.wait(300) for child in pair(start, params)] == [0, 0], log(tmp_path, "a") + log(tmp_path, "b")
    for name in WRITTEN:
        whole = (tmp_path / "whole a" / name).read_bytes()
        assert [(tmp_path / worker / name).read_bytes() == whole for worker in "ab"] == [True, True], name


@pytest.mark.slow
@pytest.mark.parametrize("asked", ["a", "b"], ids=["the chief", "the other"])
def test_a_signal_to_one_worker_stops_both_after_the_same_step_and_both_go_on(start, tmp_path, asked):
    params = parameters(alexnet_bn(), epochs=12)
    assert [child.wait(300) for child in pair(start, params, ("whole a", "whole b"))] == [0, 0]
    checkpoints = tmp_path / "a" / "fingerprint"
    workers = dict(zip("ab", pair(start, params), strict=True))
    # In the second call both heed a stop.
    while not ((state := read_state(checkpoints)) and state.step > 1):
        assert workers["a"].poll() is None, log(tmp_path, "a")
        time.sleep(0.05)
    workers[asked].send_signal(signal.SIGTERM)
    assert [child.wait(300) for child in workers.values()] == [1, 1], log(tmp_path, "a") + log(tmp_path, "b")
    told = [re.findall(r"Stopped: stopped after step (\d+) of 36", log(tmp_path, name)) for name in "ab"]
    assert told[0] == told[1]
    assert len(told[0]) == 1
    state = read_state(checkpoints)
    assert state is not None
    assert state.step == int(told[0][0])
    assert [child.wait(300) for child in pair(start, params)] == [0, 0], log(tmp_path, "a") + log(tmp_path, "b")
    for name in WRITTEN:
        whole = (tmp_path / "whole a" / name).read_bytes()
        assert [(tmp_path / worker / name).read_bytes() == whole for worker in "ab"] == [True, True], name


@pytest.mark.slow
def test_workers_with_other_variables_are_told_so(start, tmp_path):
    """Before they share one: a collective of unlike variables fails in TensorFlow's words, or never ends."""
    plain, averaged = parameters(alexnet_bn(), epochs=2), parameters(alexnet_bn(), epochs=2, weight_averaging=0.9)
    first, second = configs()
    workers = [start("a", plain, config=first, fingerprint="plain"), start("b", averaged, config=second)]
    assert [child.wait(120) for child in workers] == [1, 1], log(tmp_path, "a") + log(tmp_path, "b")
    assert "DataError: worker 1 trains something else" in log(tmp_path, "a")
    assert "DataError: worker 0 trains something else" in log(tmp_path, "b")


@pytest.mark.slow
def test_workers_that_draw_other_weights_begin_with_those_of_the_first(start, tmp_path):
    other = """
import numpy as np
from alexnet_tf.models import networks
drawn = networks._initial_weights
networks._initial_weights = lambda *words: np.nextafter(np.asarray(drawn(*words)), np.float32(1))
"""
    params = parameters(alexnet(weight_stddev=[0.1] * 8), epochs=2)
    first, second = configs()
    workers = [start("a", params, config=first), start("b", params, config=second, before=other)]
    assert [child.wait(300) for child in workers] == [0, 0], log(tmp_path, "a") + log(tmp_path, "b")
    for name in WRITTEN:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
