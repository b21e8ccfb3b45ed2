"""A folder that serves as a checkout: a training in it reads this checkout's data and code, and writes beside them.

    python -m pipeline.verify.sandbox FOLDER VARIANT [KEY=VALUE …]

trains in such a folder, with nothing recorded.
"""

import subprocess
import sys
from pathlib import Path

from pipeline.config.load import PARAMS_FILE, load
from pipeline.config.local_params import LOCAL_FILE
from pipeline.environment.processes import start_module
from pipeline.environment.workspace import Workspace
from pipeline.runner import run_stage

_LINKED = ("alexnet_tf", "components", "pipeline", "data", PARAMS_FILE, LOCAL_FILE, "dvc.yaml")


def make(folder: Path, root: Path) -> Path:
    """Make the folder, with links to what a training reads in the checkout `root`, and return it."""
    folder.mkdir(parents=True)
    for name in _LINKED:
        if (root / name).exists():
            (folder / name).symlink_to(root / name)
    return folder


def train(folder: Path, variant: str, changes: tuple[str, ...]) -> subprocess.Popen:
    """Start a training in the folder as a process of its own, which may be killed; `log.txt` has its output.

    Args:
        folder: Of `make`.
        variant: What to train.
        changes: Texts `key=value` that take the place of what params.yaml says.
    """
    with (folder / "log.txt").open("ab") as log:
        return start_module("pipeline.verify.sandbox", folder, variant, *changes, stdout=log, stderr=log)


def main() -> int:
    """Train in the folder that the command line names."""
    folder, variant, *changes = sys.argv[1:]
    workspace = Workspace(root=Path(folder), home=Path(folder))
    config = load(workspace.root, changes)
    run_stage(workspace, config, config.item("train", variant))
    return 0


if __name__ == "__main__":
    sys.exit(main())
