"""The stage train in two processes over loopback, as on two hosts."""

import os
import re
import signal

import numpy as np
import pytest
from waiting import wait_until

from alexnet_tf.models.weights import load_arrays
from alexnet_tf.training.checkpoint import read_state
from tests.alexnet_tf.small_training import alexnet, alexnet_bn
from tests.components.test_train import parameters
from tests.ports import free_ports


def configs(count=2):
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(count)]}
    return [{"cluster": cluster, "task": {"type": "worker", "index": index}} for index in range(count)]


def pair(processes, params, names=("a", "b"), interval=-1.0):
    """Start both workers; by its own clock the chief would take several steps a call, the second one a single one."""
    return [
        processes.start(name, params, config=config, seconds_per_call=seconds, interval=interval)
        for name, config, seconds in zip(names, configs(), (60.0, 0.0), strict=True)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("network", [alexnet(weight_stddev=[0.1] * 8), alexnet_bn()], ids=["2012", "bn"])
def test_two_processes_reach_the_weights_of_one(processes, tmp_path, network):
    params = parameters(network, epochs=3, keep="best")
    workers = pair(processes, params)
    assert [child.wait(300) for child in workers] == [0, 0], processes.log("a") + processes.log("b")
    assert processes.same_bytes("a", "b")
    assert not (tmp_path / "b" / "scratch").exists()  # the chief alone keeps checkpoints
    assert processes.start("one", params, devices=("CPU:0", "CPU:1")).wait(300) == 0, processes.log("one")
    one, two = (load_arrays(tmp_path / name / "model" / "weights.safetensors")[0] for name in ("one", "a"))
    for name, expected in one.items():
        np.testing.assert_allclose(two[name], expected, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.slow
def test_a_lost_worker_ends_the_other_with_a_sentence_and_both_go_on_later(processes, tmp_path):
    params = parameters(alexnet_bn(), epochs=40)
    assert [child.wait(300) for child in pair(processes, params, ("whole a", "whole b"))] == [0, 0]
    chief, other = pair(processes, params)
    checkpoint = tmp_path / "a" / "scratch" / "checkpoint.safetensors"
    wait_until(checkpoint.exists, 300, process=chief)
    os.kill(other.pid, signal.SIGKILL)
    assert chief.wait(120) == 1, processes.log("a")
    assert "TrainingError: worker 0 lost contact with another one of 127.0.0.1:" in processes.log("a")
    assert "start the same command again on every host" in processes.log("a")
    assert checkpoint.exists()
    assert not (tmp_path / "a" / "model").exists()
    assert [child.wait(300) for child in pair(processes, params)] == [0, 0], processes.log("a") + processes.log("b")
    assert [processes.same_bytes(worker, "whole a") for worker in "ab"] == [True, True]


@pytest.mark.slow
@pytest.mark.parametrize("asked", ["a", "b"], ids=["the chief", "the other"])
def test_a_signal_to_one_worker_stops_both_after_the_same_step_and_both_go_on(processes, tmp_path, asked):
    params = parameters(alexnet_bn(), epochs=12)
    assert [child.wait(300) for child in pair(processes, params, ("whole a", "whole b"))] == [0, 0]
    checkpoints = tmp_path / "a" / "scratch"
    workers = dict(zip("ab", pair(processes, params), strict=True))
    # In the second call both heed a stop.
    wait_until(lambda: (state := read_state(checkpoints)) and state.step > 1, 300, process=workers["a"])
    workers[asked].send_signal(signal.SIGTERM)
    assert sorted(child.wait(300) for child in workers.values()) == [130, 143], processes.log("a") + processes.log("b")
    told = [re.findall(r"Stopped: stopped after step (\d+) of 36", processes.log(name)) for name in "ab"]
    assert told[0] == told[1]
    assert len(told[0]) == 1
    state = read_state(checkpoints)
    assert state is not None
    assert state.step == int(told[0][0])
    assert [child.wait(300) for child in pair(processes, params)] == [0, 0], processes.log("a") + processes.log("b")
    assert [processes.same_bytes(worker, "whole a") for worker in "ab"] == [True, True]


@pytest.mark.slow
def test_workers_with_other_variables_are_told_so(processes):
    """Before they share one: a collective of unlike variables fails in TensorFlow's words, or never ends."""
    plain, averaged = parameters(alexnet_bn(), epochs=2), parameters(alexnet_bn(), epochs=2, weight_averaging=0.9)
    first, second = configs()
    workers = [
        processes.start("a", plain, config=first, scratch="plain"),
        processes.start("b", averaged, config=second),
    ]
    assert [child.wait(120) for child in workers] == [1, 1], processes.log("a") + processes.log("b")
    assert "DataError: worker 1 trains something else" in processes.log("a")
    assert "DataError: worker 0 trains something else" in processes.log("b")


@pytest.mark.slow
def test_workers_that_draw_other_weights_begin_with_those_of_the_first(processes):
    other = """
import numpy as np
from alexnet_tf.models import networks
drawn = networks._initial_weights
networks._initial_weights = lambda *words: np.nextafter(np.asarray(drawn(*words)), np.float32(1))
"""
    params = parameters(alexnet(weight_stddev=[0.1] * 8), epochs=2)
    first, second = configs()
    workers = [processes.start("a", params, config=first), processes.start("b", params, config=second, before=other)]
    assert [child.wait(300) for child in workers] == [0, 0], processes.log("a") + processes.log("b")
    assert processes.same_bytes("a", "b")
