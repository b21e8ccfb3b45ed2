"""The stage train, killed and stopped by signals in processes of its own, and run again."""

import os
import random
import re
import signal
import time
from itertools import pairwise

import pytest

from tests.alexnet_tf.small_training import alexnet, alexnet_bn, four_layer
from tests.components.test_train import parameters

EPOCHS = 60  # of three steps
LIFETIMES = (15, 25, 20, 10)  # steps after which a process is interrupted; half of the training is left for the last


def parameters_of(network):
    return parameters(network, epochs=EPOCHS, weight_averaging=0.9, keep="best")


@pytest.mark.slow
@pytest.mark.parametrize("network", [alexnet(weight_stddev=[0.1] * 8), four_layer()], ids=["2012", "four layers"])
def test_killed_at_any_moment_it_goes_on_and_ends_at_the_same_bytes(processes, network):
    """As tests/pipeline/verify/test_kill_test.py has it of the optimized network, on one replica and on two."""
    params = parameters_of(network)
    assert processes.start("whole", params).wait() == 0
    moments, resumed = random.Random(1), []
    for steps in LIFETIMES:
        child = processes.start("killed", params)
        processes.wait_for_steps(child, "killed", steps)
        time.sleep(moments.uniform(0, 0.02))  # in the midst of whatever it does
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL, processes.log("killed")
        resumed.append(processes.resumed("killed"))
    assert processes.start("killed", params).wait() == 0
    resumed.append(processes.resumed("killed"))
    assert resumed[0] == 0
    assert all(earlier < later for earlier, later in pairwise(resumed)), resumed
    assert processes.same_bytes("killed", "whole")


@pytest.mark.slow
@pytest.mark.parametrize("network", [alexnet(weight_stddev=[0.1] * 8), alexnet_bn()], ids=["2012", "bn"])
def test_stopped_by_signals_at_any_moment_it_loses_no_step_and_ends_at_the_same_bytes(processes, network):
    params = parameters_of(network)
    assert processes.start("whole", params, interval=1e9).wait() == 0
    moments, codes, resumed = random.Random(1), [], []
    for number, steps in zip((signal.SIGTERM, signal.SIGINT) * 2, LIFETIMES, strict=True):
        child = processes.start("stopped", params, interval=1e9)
        processes.wait_for_steps(child, "stopped", steps)
        time.sleep(moments.uniform(0, 0.02))
        child.send_signal(number)
        codes.append(child.wait(300))
        resumed.append(processes.resumed("stopped"))
    assert codes == [143, 130, 143, 130], processes.log("stopped")
    assert processes.start("stopped", params, interval=1e9).wait() == 0
    resumed.append(processes.resumed("stopped"))
    told = re.findall(rf"Stopped: stopped after step (\d+) of {3 * EPOCHS}", processes.log("stopped"))
    assert resumed == [0, *map(int, told)]
    assert resumed == sorted(set(resumed))
    assert processes.same_bytes("stopped", "whole")
