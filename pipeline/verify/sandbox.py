"""A folder that serves as a checkout: a training in it reads this checkout's data and code, and writes beside them."""

import subprocess
from pathlib import Path

from pipeline.config.load import PARAMS_FILE
from pipeline.config.local_params import LOCAL_FILE
from pipeline.environment.processes import start_module

_LINKED = ("alexnet_tf", "components", "pipeline", "data", PARAMS_FILE, LOCAL_FILE, "dvc.yaml")


def make(folder: Path, root: Path) -> Path:
    """Make the folder, with links to what a training reads in the checkout `root`, and return it."""
    folder.mkdir(parents=True)
    for name in _LINKED:
        if (root / name).exists():
            (folder / name).symlink_to(root / name)
    return folder


def train(folder: Path, variant: str, changes: tuple[str, ...]) -> subprocess.Popen:
    """Start a training in the folder as a process of its own, which may be killed and records nothing.

    `log.txt` has its output.

    Args:
        folder: Of `make`.
        variant: What to train.
        changes: Texts `key=value` that take the place of what params.yaml says.
    """
    with (folder / "log.txt").open("ab") as log:
        return start_module("pipeline.rerun", f"train@{variant}", *changes, cwd=folder, stdout=log, stderr=log)
