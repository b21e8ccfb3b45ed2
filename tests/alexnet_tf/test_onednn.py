"""oneDNN's kernels are on wherever the package is imported before TensorFlow, unless somebody has said otherwise."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import alexnet_tf
from tensorflow.python.util import _pywrap_util_port
print(_pywrap_util_port.IsMklEnabled())
"""


@pytest.mark.parametrize(("said", "on"), [(None, "True"), ("0", "False")])
def test_onednn_is_on_unless_it_is_switched_off(root, said, on):
    environment = {key: value for key, value in os.environ.items() if key != "TF_ENABLE_ONEDNN_OPTS"}
    if said:
        environment["TF_ENABLE_ONEDNN_OPTS"] = said
    command = [sys.executable, "-c", PROGRAM]
    printed = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True).stdout
    assert printed.split() == [on]


def test_the_tests_have_it_on():
    """Otherwise they would check kernels that no training uses."""
    from tensorflow.python.util import _pywrap_util_port

    assert _pywrap_util_port.IsMklEnabled()
