"""A folder with a commit's files alone, in which stages are run again without a trace elsewhere."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from alexnet_tf.errors import AlexNetError
from pipeline.config.local_params import carry
from pipeline.environment.processes import own_environment
from pipeline.environment.workspace import Workspace


@contextmanager
def clean_folder(
    workspace: Workspace, commit: str, source_folder: str | None, *, keep: bool, say: Callable[[str], None]
) -> Iterator[Path]:
    """Make a folder of a commit's files; data sets are seen from there as from here.

    params.local.yaml goes along, as it is no file of the commit.

    Args:
        workspace: Whose commit.
        commit: Which.
        source_folder: As params.yaml has it; a relative one is linked.
        keep: Leave the folder in place at the end.
        say: Shows one line to the user.
    """
    place = workspace.scratch / "verify"
    place.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{commit[:12]}-", dir=place))  # two may run side by side
    try:
        _check_out(workspace.root, commit, folder)
        carry(workspace.home, folder)
        source = Path(source_folder or "/").expanduser()
        if not source.is_absolute() and (workspace.home / source).exists() and not (folder / source).exists():
            (folder / source).parent.mkdir(parents=True, exist_ok=True)
            (folder / source).symlink_to(workspace.home / source)
        yield folder
    finally:
        if keep:
            say(f"the clean folder stays: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _check_out(root: Path, commit: str, folder: Path) -> None:
    """Have Git write a commit's files, by an index of its own: neither `git worktree` nor a hook leaves a trace."""
    found = subprocess.run(["git", "rev-parse", "--absolute-git-dir"], cwd=root, capture_output=True, check=True)
    with tempfile.TemporaryDirectory() as place:
        index = {"GIT_INDEX_FILE": f"{place}/index", "GIT_WORK_TREE": str(folder)}
        environment = os.environ | index | {"GIT_DIR": os.fsdecode(found.stdout).strip()}
        tree = subprocess.run(["git", "rev-parse", f"{commit}:./"], cwd=root, capture_output=True, check=True)
        for command in (["read-tree", os.fsdecode(tree.stdout).strip()], ["checkout-index", "--all"]):
            subprocess.run(
                ["git", "-c", "core.hooksPath=", *command], cwd=folder, env=environment, capture_output=True, check=True
            )


def rerun(folder: Path, addresses: Iterable[str], variables: Mapping[str, str | None] | None = None) -> None:
    """Run stages with the folder's own code, in a process each, as DVC does: saved models hold names counted in it.

    Args:
        folder: Holds the code and params.yaml.
        addresses: Of the stages, in their order.
        variables: Of the environment, to be set otherwise than here; None takes one out.

    Raises:
        AlexNetError: One fails.
    """
    own = {name: word for name, word in own_environment().items() if not name.startswith("DVC_")}
    asked = {"TF_CPP_MIN_LOG_LEVEL": "3", **own, "PYTHONPATH": str(folder), **(variables or {})}
    environment = {name: word for name, word in asked.items() if word is not None}
    for address in addresses:
        command = [sys.executable, "-m", "pipeline.rerun", address]
        if subprocess.run(command, cwd=folder, env=environment, check=False).returncode:
            raise AlexNetError(f"verify: {address} failed as said above; `--keep` keeps the folder {folder}")
