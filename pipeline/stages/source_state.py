"""Whether data/dataset is still that of its source: DVC sees parameters and code, not the files of the source.

`download` keeps in `.alexnet/sources` what it read: a listing by the digest of the manifest that came of it. The record
stays on this machine, since it has times and since equal images have to give an equal manifest whatever holds them; a
data set that came here by `dvc pull` has none.
"""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from alexnet_tf.errors import AlexNetError, DataError
from pipeline.environment.typed import typed
from pipeline.environment.workspace import Workspace
from pipeline.stages import outputs
from pipeline.stages.table import DATASET

if TYPE_CHECKING:
    from components.sources.listing import SourceListing

USES_SOURCE = ("validate", "preprocess", "statistics", "train")
"""The stages that a changed source stops; a training that has ended is still evaluated."""
NOT_DOWNLOADED = ("image_folder", "imagenet2012")
"""The sources whose files have to be there before `download`."""
COMMAND = "dvc repro -f download"


def listed(source: str, folder: Path | None) -> "SourceListing | None":
    """List the files of a source in a folder; None where it is generated or cannot be reached."""
    if source == "sample" or folder is None:
        return None
    from components.sources.listing import listing  # half a second that the sample does not need

    try:
        return listing(source, folder)
    except (OSError, DataError):  # `download` says what is wrong; work on a data set that is there goes on
        return None


def remember(workspace: Workspace, source: str, folder: Path | None, before: "SourceListing | None") -> None:
    """Keep what data/dataset was made from.

    Args:
        workspace: Where it was made.
        source: Of which source.
        folder: Of the files of that source.
        before: Of `listed` before it was read, so that a change on the way is seen later. What was prepared in its
            course, as by tensorflow-datasets, is listed now.
    """
    found = before or listed(source, folder)
    manifest = _manifest(workspace)
    if found and manifest is not None:
        outputs.write_text(_record(workspace, manifest), json.dumps(found._asdict()) + "\n")


class SourceState(NamedTuple):
    """How data/dataset and its source compare.

    Attributes:
        name: `current`, `changed`, `unrecorded` (made elsewhere or before records were kept), or `nothing` to compare:
            the source is generated or out of reach, or data/dataset is missing or of another source, which DVC sees.
        told: One sentence for a person with the way out, "" where there is nothing to do.
    """

    name: Literal["current", "changed", "unrecorded", "nothing"]
    told: str = ""


def state_of(workspace: Workspace, source: str, folder: Path | None) -> SourceState:
    """Compare the source's files with those that data/dataset was made from."""
    manifest = _manifest(workspace)
    if manifest is None or _source_of(manifest) != source:
        return SourceState("nothing")
    now = listed(source, folder)
    if now is None:
        return SourceState("nothing")
    then = _read(_record(workspace, manifest))
    if then is None:
        told = f"no record here says whether {DATASET} was made from what is in {folder} now; "
        told += f"`{typed(COMMAND)}` makes it again"
        return SourceState("unrecorded", told)
    if now.digest == then["digest"]:
        return SourceState("current")
    earlier, later = (f"{each['num_files']} files of {each['num_bytes']} bytes" for each in (then, now._asdict()))
    what = f"{earlier} then, {later} now" if earlier != later else f"{earlier}, some of them newer or renamed"
    told = (
        f"{folder} has changed since {DATASET} was made from it ({what}); `{typed(COMMAND)}` reads it again, or set "
        "runtime.source_folder to null to continue with the images as they were"
    )
    return SourceState("changed", told)


def _read(record: Path) -> dict[str, Any] | None:
    """Read a record; None where there is none, or it is broken, as after a power cut."""
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        return {name: content[name] for name in ("digest", "num_files", "num_bytes")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def require_current(workspace: Workspace, source: str, folder: Path | None) -> SourceState:
    """Stop work on a data set whose source has changed; return how it is otherwise.

    Raises:
        AlexNetError: It has changed.
    """
    state = state_of(workspace, source, folder)
    if state.name == "changed":
        raise AlexNetError(state.told)
    return state


def _manifest(workspace: Workspace) -> bytes | None:
    """Read the manifest of data/dataset; None where that is missing."""
    try:
        return (workspace.root / DATASET / "manifest.json").read_bytes()
    except OSError:
        return None


def _source_of(manifest: bytes) -> str | None:
    """Name the source; a broken manifest has none here, and the stage that reads the data set says what is wrong."""
    try:
        return json.loads(manifest)["source"]
    except (ValueError, KeyError, TypeError):
        return None


def _record(workspace: Workspace, manifest: bytes) -> Path:
    return workspace.scratch / "sources" / f"{hashlib.sha256(manifest).hexdigest()}.json"
