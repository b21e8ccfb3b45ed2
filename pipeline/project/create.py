"""Makes a project: params.yaml, dvc.yaml and what they need, in an empty folder."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from alexnet_tf.errors import ConfigError, some
from pipeline.config import experiments
from pipeline.config.load import PARAMS_FILE
from pipeline.config.local_params import write_source_folder
from pipeline.environment.workspace import Workspace, workspace_around
from pipeline.stages import installed_code, outputs

if TYPE_CHECKING:
    from components.sources.source import Source

EXPERIMENT = "my_images"
_FILES = Path(__file__).with_name("files")
COPIES = {
    "gitignore": ".gitignore",
    "dvcignore": ".dvcignore",
    "dvc_config": ".dvc/config",
    "dvc_gitignore": ".dvc/.gitignore",
    "my_images.yaml": f"experiments/{EXPERIMENT}.yaml",
    "schemas.md": "schemas/README.md",
    "champions.md": "results/champions/README.md",
}
"""File of `files/` -> its place in a project, which is also its place in the repository."""
OWN = {"dvc_yaml": "dvc.yaml", "README.md": "README.md"}
"""File of `files/` that is not the repository's -> its place in a project. DVC reads all that are called dvc.yaml."""


def create(folder: Path, source: Path | None) -> "Source | None":
    """Write a project, and return what was found in `source`.

    Args:
        folder: Where; is made. An empty one may be there.
        source: A folder of class folders, which are checked now; None leaves that to the user. Absolute, as `folder`.

    Raises:
        ConfigError: The folder is not empty, belongs to a clone or another project, or is in the source; or the source
            is no folder.
        DataError: The source is no folder of class folders.
    """
    _require_free(folder)
    if source is not None and not source.is_dir():
        found = "a file" if source.exists() else "none"
        raise ConfigError(f"{source}: expected a folder of class folders, found {found}; name another or leave it out")
    found = None
    if source is not None:
        if folder.is_relative_to(source):  # where it would count as a class
            raise ConfigError(f"{folder}: expected a folder outside of {source}, which has the images; name another")
        from components.sources.image_folder import image_folder_source

        found = image_folder_source(source)
    with _all_or_nothing(folder):
        _write(folder, source)
    return found


@contextlib.contextmanager
def _all_or_nothing(folder: Path) -> Iterator[None]:
    """Leave a free folder as it was if the body fails, on a full disk for example: else it would not be free again."""
    was_there = folder.is_dir()
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            for path in folder.iterdir():
                outputs.remove(path)
            if not was_there:
                folder.rmdir()
        raise


def _write(folder: Path, source: Path | None) -> None:
    for name, place in (COPIES | OWN).items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes((_FILES / name).read_bytes())
    workspace = Workspace(root=folder, home=folder)
    params = experiments.applied(workspace, EXPERIMENT, None).new
    (folder / PARAMS_FILE).write_text(params, encoding="utf-8")
    if source is not None:
        write_source_folder(folder, str(source))
    installed_code.write(folder)


def _require_free(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: expected a new or empty folder, found a file; choose another name")
    if folder.is_dir() and (found := sorted(each.name for each in folder.iterdir())):
        raise ConfigError(
            f"{folder}: expected a new or empty folder, found {some(found, 1)} in it; choose another name"
        )
    if around := workspace_around(folder):
        raise ConfigError(
            f"{folder}: is inside {around.root}, which has a pipeline of its own; choose a folder elsewhere, or there "
            f"`alexnet use {EXPERIMENT} --source-folder DIR`"
        )
