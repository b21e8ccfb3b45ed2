"""Where things are: the folder a stage works in, and the one that keeps what outlives a run."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from alexnet_tf.errors import AlexNetError

_STAGE = b"cmd: alexnet "  # in dvc.yaml; other projects that use DVC have the same two files


@dataclass(frozen=True)
class Workspace:
    """One checkout of this repository.

    Attributes:
        root: The folder with params.yaml and dvc.yaml, in which stages read and write.
        home: The folder of checkpoints, timings and the tracking store. It differs from `root` in a queued
            DVC experiment, which runs in a copy that is thrown away while `DVC_ROOT` names the original.
    """

    root: Path
    home: Path

    @property
    def scratch(self) -> Path:
        """The folder for what no stage depends on; neither Git nor DVC sees it."""
        return scratch_of(self.home)

    @property
    def timings(self) -> Path:
        """The folder of what each run of a stage cost."""
        return self.scratch / "timings"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints, one for each fingerprint."""
        return self.scratch / "checkpoints"

    def lock(self, what: str) -> Path:
        """The file whose lock a process has while it does what nobody else may do at the same time."""
        return self.scratch / "locks" / hashlib.sha256(what.encode()).hexdigest()

    def stage_lock(self, address: str) -> Path:
        """The lock of a run of a stage in this folder: two would clear away what the other writes."""
        return self.lock(f"{self.root.resolve()} {address}")

    def located(self, folder: str | None) -> Path | None:
        """Return the path of a folder of the section `runtime`: a relative one is below `home`, `~` resolved."""
        return self.home / os.path.expanduser(folder) if folder else None


def scratch_of(home: Path) -> Path:
    """Return `Workspace.scratch` of a home."""
    return home / ".alexnet"


def find_workspace() -> Workspace:
    """Find the repository upwards from the current folder.

    Raises:
        AlexNetError: Neither it nor a folder above it holds params.yaml, and a dvc.yaml with our stages.
    """
    if found := workspace_around():
        return found
    raise AlexNetError(
        f"{Path.cwd().resolve()}: neither this folder nor a parent contains params.yaml, and dvc.yaml with "
        "stages of alexnet; change into a clone or a project, or make a project with `alexnet init FOLDER`"
    )


def workspace_around(start: Path | None = None) -> Workspace | None:
    """Find what `find_workspace` finds, from `start` or the current folder; None where it would raise."""
    here = Path(os.path.realpath(start or Path.cwd()))  # unlike `resolve`, also of a link that leads to itself
    for folder in (here, *here.parents):
        if is_root(folder):
            return Workspace(root=folder, home=home_of(folder))
    return None


def root_or_here() -> Path:
    """Return the root that `workspace_around` finds, else the current folder: some commands need no project."""
    workspace = workspace_around()
    return workspace.root if workspace else Path.cwd()


def home_of(root: Path) -> Path:
    """Return `Workspace.home` of a root."""
    dvc_root = os.environ.get("DVC_ROOT")
    return Path(dvc_root).resolve() if dvc_root and is_root(Path(dvc_root)) else root


def is_root(folder: Path) -> bool:
    """Whether a folder is a clone or a project of `alexnet init`."""
    # Without params.yaml the experiments are enough, so that `alexnet use` can write a new one.
    try:
        if not ((folder / "params.yaml").is_file() or (folder / "experiments").is_dir()):
            return False
        return _STAGE in (folder / "dvc.yaml").read_bytes()
    except OSError:  # it may be another user's, above the current folder
        return False


def code_folder() -> Path:
    """The folder of the packages that this process runs; a queued experiment's is not that of the installed ones."""
    return Path(__file__).resolve().parents[2]
