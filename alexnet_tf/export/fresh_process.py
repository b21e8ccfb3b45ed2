"""Exported files are asked in a fresh process, which cannot import this project."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

# Shares of the largest logit. Another graph or engine sums float32 products in another order; bfloat16 keeps 8 bits.
TOLERANCES = {"float32": 1e-4, "bfloat16": 5e-2}


def run(script: ModuleType, *arguments: Path, folder: Path) -> str | None:
    """Run a script in a fresh process, on the CPU.

    Args:
        script: Its file is run, and imports nothing of this project.
        arguments: Absolute paths.
        folder: Where it runs.

    Returns:
        None, or if it failed the last line of what it said.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "TF_"))}
    finished = subprocess.run(
        [sys.executable, "-I", str(script.__file__), *map(str, arguments)],
        cwd=folder,
        env=environment | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode == 0:
        return None
    return (finished.stderr.strip().splitlines() or [f"exit code {finished.returncode}"])[-1]
