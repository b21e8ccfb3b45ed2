import os
import subprocess
import sys

import pytest

from alexnet_tf.devices.processor import usable_cores


def test_a_process_may_use_all_cores_that_it_was_left():
    assert 1 <= usable_cores() <= os.cpu_count()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs a system that ties processes to cores")
def test_cores_that_belong_to_others_are_not_counted():
    code = (
        "import os; from alexnet_tf.devices.processor import usable_cores; "
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); print(usable_cores())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
