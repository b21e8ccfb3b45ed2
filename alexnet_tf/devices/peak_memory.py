"""How much memory a process took at most."""

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_memory_bytes() -> int:
    """Return what this process had in memory at most.

    Linux keeps `ru_maxrss` when a process begins another program, so there a small program that a large one starts
    seems as large; `VmHWM` begins anew.
    """
    try:
        lines = _STATUS.read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    found = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), None)
    return _largest(resource.RUSAGE_SELF) if found is None else int(found) * 1024


def largest_peak_memory_bytes() -> int:
    """Return the same of the largest of this process and the children that have ended."""
    return max(peak_memory_bytes(), _largest(resource.RUSAGE_CHILDREN))


def _largest(who: int) -> int:
    return resource.getrusage(who).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
