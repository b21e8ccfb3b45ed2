"""The checkpoints in the scratch folder: whose they are, where each training is, how large they are."""

import time
from pathlib import Path
from typing import NamedTuple

from alexnet_tf.errors import DataError
from alexnet_tf.training.checkpoint import read_state
from pipeline.config.load import Config
from pipeline.environment.lock import is_held
from pipeline.environment.workspace import Workspace
from pipeline.stages import outputs
from pipeline.stages.fingerprint import fingerprint
from pipeline.stages.table import all_items


class KeptCheckpoint(NamedTuple):
    """One folder of the scratch folder.

    Attributes:
        folder: Where it is.
        size_bytes: Of all files in it.
        age_days: Since something in it was written.
        address: The training that goes on from it with the present params, data and code, or "" where none does.
        is_in_use: Whether a process is training from it now.
    """

    folder: Path
    size_bytes: int
    age_days: float
    address: str
    is_in_use: bool

    def progress(self) -> str:
        """Say where the training is."""
        try:
            return str(read_state(self.folder) or "no step saved yet")
        except DataError as error:
            return str(error)


def kept_checkpoints(workspace: Workspace, config: Config) -> list[KeptCheckpoint]:
    """List all checkpoints, in the order of their names."""
    folder = workspace.checkpoints
    present = _present(workspace.root, config) if folder.is_dir() else {}
    found = []
    for path in sorted(path for path in folder.glob("*") if path.is_dir()):
        files = [each for each in path.rglob("*") if each.is_file()]
        written = max(each.stat().st_mtime for each in (path, *files))
        in_use, days = is_held(workspace.lock(path.name)), (time.time() - written) / 86400
        found.append(KeptCheckpoint(path, _bytes(path), days, present.get(path.name, ""), in_use))
    return found


def leftovers(workspace: Workspace, config: Config) -> list[tuple[Path, int]]:
    """List what killed runs of stages left beside their outputs, with its bytes; a run that goes on has its own."""
    found = []
    for item in all_items(config.values):
        if not is_held(workspace.stage_lock(item.address), without_locks=True):
            paths = [outputs.partial(workspace.root / path) for path in item.outputs().values()]
            found += [(path, _bytes(path)) for path in paths if path.exists()]
    return found


def _bytes(path: Path) -> int:
    return sum(each.stat().st_size for each in (path, *path.rglob("*")) if each.is_file())


def _present(root: Path, config: Config) -> dict[str, str]:
    """Fingerprint -> address of each training whose inputs are there."""
    found = {}
    for item in all_items(config.values):
        if item.stage.name == "train" and all((root / path).exists() for path in item.inputs().values()):
            found[fingerprint(root, item, config.params[item.address])] = item.address
    return found
