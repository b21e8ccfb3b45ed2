import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from alexnet_tf.devices import peak_memory

MIB = 2**20
STATUS = Path("/proc/self/status")
LARGE = "import numpy; numpy.ones(300 << 17)"  # 300 MiB
TOLD_BY_LINUX = STATUS.exists() and "VmHWM:" in STATUS.read_text()
PEAK = "from alexnet_tf.devices.peak_memory import {0}; print({0}())"


def printed(code: str, root) -> int:
    return int(subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=True).stdout)


@pytest.mark.skipif(not TOLD_BY_LINUX, reason="only Linux says it of the program alone")
def test_a_large_array_counts_after_it_is_gone(root):
    assert 300 * MIB < printed(f"{LARGE}; {PEAK.format('peak_memory_bytes')}", root) < 500 * MIB


@pytest.mark.skipif(not TOLD_BY_LINUX, reason="only Linux says it of the program alone")
def test_a_small_child_of_a_large_process_is_small(root):
    array = np.ones(300 << 17)
    assert printed(PEAK.format("peak_memory_bytes"), root) < 150 * MIB < array.nbytes


def test_the_largest_child_counts_where_it_is_larger(root):
    start = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {LARGE!r}])"
    assert printed(f"{start}; {PEAK.format('largest_peak_memory_bytes')}", root) > 300 * MIB
    if TOLD_BY_LINUX:
        assert printed(f"{start}; {PEAK.format('peak_memory_bytes')}", root) < 150 * MIB


def test_where_linux_does_not_say_it_is_that_of_the_process(monkeypatch, tmp_path):
    monkeypatch.setattr(peak_memory, "_STATUS", tmp_path / "none")
    unit = 1 if sys.platform == "darwin" else 1024
    assert peak_memory.peak_memory_bytes() == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    (tmp_path / "none").write_text("Name:\tpython\n")
    assert peak_memory.peak_memory_bytes() == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
