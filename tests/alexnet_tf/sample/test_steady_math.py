import os
import subprocess
import sys

import numpy as np
import pytest

from alexnet_tf.sample import steady_math

VALUES = np.random.default_rng(0).uniform(-20, 0, 200_000).astype(np.float32)
PROGRAM = """
import hashlib
import numpy as np
from alexnet_tf.sample import steady_math
from alexnet_tf.sample.generate import generate
x = np.random.default_rng(0).uniform(-20, 0, 200_000).astype(np.float32)
print(*[hashlib.sha256(np.sin(x).tobytes()).hexdigest()])
made = [steady_math.sin(x), steady_math.cos(x), steady_math.exp(x), steady_math.arctan2(x, x[::-1].copy())]
print(*[hashlib.sha256(each.tobytes()).hexdigest() for each in made])
print(*[hashlib.sha256(generate("train", number, 0, 2012)[1]).hexdigest() for number in range(10)])
"""


@pytest.mark.parametrize(
    ("steady", "plain"), [(steady_math.sin, np.sin), (steady_math.cos, np.cos), (steady_math.exp, np.exp)]
)
def test_values_are_those_of_numpy_to_a_millionth(steady, plain):
    found = steady(VALUES)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, plain(VALUES.astype(np.float64)), atol=1e-6, rtol=0)


def test_by_hand():
    np.testing.assert_array_equal(steady_math.exp(np.float32([0, -100])), np.float32([1, 0]))
    np.testing.assert_array_equal(steady_math.cos(np.float32([0])), np.float32([1]))
    one, other = np.float32([1, -1]), np.float32([0, 0])
    np.testing.assert_allclose(steady_math.arctan2(one, other), [np.pi / 2, -np.pi / 2], atol=1e-6)


def test_bits_are_the_same_whatever_instructions_numpy_uses(root):
    """With AVX2 and without: `np.sin` itself differs, so that the processor is one to see it on."""

    def told(**variables):
        environment = os.environ | {"PYTHONPATH": str(root)} | variables
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    with_all, without = told(), told(NPY_DISABLE_CPU_FEATURES="X86_V3 X86_V4")
    if with_all[0] == without[0]:
        pytest.skip("NumPy has one set of instructions for this processor")
    assert with_all[1:] == without[1:]
