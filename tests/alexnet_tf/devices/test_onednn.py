"""oneDNN's kernels are on wherever the package is imported before TensorFlow, unless somebody has said otherwise."""

import os
import subprocess
import sys

import pytest
from lean import LEAN

from alexnet_tf.devices.onednn import onednn_is_on
from alexnet_tf.devices.precision import arithmetic

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="TensorFlow has no oneDNN there")
NAME = "TF_ENABLE_ONEDNN_OPTS"


def printed(program: str, said: str | None, root) -> str:
    """What a fresh Python prints, with the variable set to `said` or not at all."""
    environment = {key: value for key, value in os.environ.items() if key != NAME} | ({NAME: said} if said else {})
    command = [sys.executable, "-c", LEAN + program]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    ("said", "named"),
    [
        (None, "float32 with oneDNN"),
        pytest.param("1", "float32 with oneDNN", marks=pytest.mark.slow),
        ("0", "float32 without oneDNN"),
    ],
)
def test_onednn_is_on_unless_it_is_switched_off(root, said, named):
    program = "from alexnet_tf.devices.precision import arithmetic; print(arithmetic('float32'))"
    assert printed(program, said, root) == named


def test_nothing_is_said_that_comes_too_late(root):
    """Where TensorFlow was there first, its own choice for the processor holds, and no tag may claim another one."""
    program = f"import os, sys; sys.modules['tensorflow'] = None; import alexnet_tf; print(os.environ.get('{NAME}'))"
    assert printed(program, None, root) == "None"


def test_the_tests_have_it_on():
    """Otherwise they would check kernels that no training uses."""
    assert onednn_is_on()
    assert arithmetic("bfloat16") == "bfloat16 with oneDNN"
