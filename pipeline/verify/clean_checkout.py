"""A folder with a commit's files alone, in which stages are run again without a trace elsewhere."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from alexnet_tf.errors import AlexNetError
from pipeline.environment.git import check_out
from pipeline.environment.processes import run_module
from pipeline.environment.workspace import Workspace


@contextmanager
def clean_folder(workspace: Workspace, commit: str, *, keep: bool, say: Callable[[str], None]) -> Iterator[Path]:
    """Make a folder of a commit's files.

    Args:
        workspace: Whose commit.
        commit: Which.
        keep: Leave the folder in place at the end.
        say: Shows one line to the user.
    """
    place = workspace.scratch / "verify"
    place.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{commit[:12]}-", dir=place))  # two may run side by side
    try:
        check_out(workspace.root, commit, folder)
        yield folder
    finally:
        if keep:
            say(f"the clean folder is kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def rerun(folder: Path, addresses: Iterable[str], variables: Mapping[str, str | None] | None = None) -> None:
    """Run stages with the folder's own code, in a process each, as DVC does: saved models hold names counted in it.

    Args:
        folder: Holds the code and params.yaml.
        addresses: Of the stages, in their order.
        variables: Of the environment, to be set otherwise than here; None takes one out.

    Raises:
        AlexNetError: One fails.
    """
    asked = {
        **{name: None for name in os.environ if name.startswith("DVC_")},
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),
        "PYTHONPATH": str(folder),
        **(variables or {}),
    }
    for address in addresses:
        if run_module("pipeline.rerun", address, cwd=folder, variables=asked).returncode:
            raise AlexNetError(f"verify: {address} failed, see above; `--keep` keeps the folder {folder}")
