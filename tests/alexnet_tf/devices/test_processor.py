import os
import subprocess
import sys

import pytest

from alexnet_tf.devices import processor
from alexnet_tf.devices.processor import usable_cores


def test_without_ties_to_cores_all_count(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    monkeypatch.setattr(processor, "cpu_quota", lambda: None)
    assert usable_cores() == 7


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs a system that ties processes to cores")
def test_cores_that_belong_to_others_are_not_counted():
    code = (
        "import os; from alexnet_tf.devices.processor import usable_cores; "
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); print(usable_cores())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
