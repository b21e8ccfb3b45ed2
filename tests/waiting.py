"""Waiting for what another process does."""

import subprocess
import time
from collections.abc import Callable
from typing import Any


def wait_until(
    happened: Callable[[], Any], seconds: float = 60, *, process: subprocess.Popen | None = None, every: float = 0.01
) -> None:
    """Wait until something has happened.

    Args:
        happened: Returns something true from then on.
        seconds: How long to wait at most.
        process: What makes it happen; if this ends before, it never will.
        every: Seconds from one look to the next.

    Raises:
        AssertionError: It did not happen in that time, or the process has ended.
    """
    end = time.monotonic() + seconds
    while not happened():
        assert process is None or process.poll() is None, f"{process.args} ended with {process.returncode} before"
        assert time.monotonic() < end, f"it did not happen within {seconds} s"
        time.sleep(every)
