"""Corrects the default store of a clone that was moved or copied: MLflow keeps artifacts' places as absolute paths.

Relative ones are no way out. MLflow 3.17 makes them absolute when it takes them, and one that is written into the
database all the same means another folder to each process.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from alexnet_tf.errors import AlexNetError
from pipeline.tracking import uploads
from pipeline.tracking.tracking_uri import default_store, tracking_uri, without_password

ARTIFACTS = "mlruns"
_PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("trace_tags", "value"),
)
_LOCK_SECONDS = 30.0
_PATIENCE_SECONDS = 20.0


class Astray(NamedTuple):
    """A store that names the artifacts of another folder.

    Attributes:
        former: That folder, in which the store was made.
        is_gone: Whether artifacts are missing there; else this folder is a copy, and its new artifacts go there.
    """

    former: Path
    is_gone: bool


class _Place(NamedTuple):
    table: str
    column: str
    row: int
    old: str
    new: str

    @property
    def is_lost(self) -> bool:
        """Whether it is here, and not where it is said to be."""
        return _path(self.new).exists() and not _path(self.old).exists()

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is where it is said to be, and not here."""
        return _path(self.old).exists() and not _path(self.new).exists()


def astray(home: Path) -> Astray | None:
    """Look whether the store in use names another folder's artifacts; None where it does not, or is no default one.

    Args:
        home: Folder of the store.
    """
    store = default_store(home)
    if store is None or not store.is_file():
        return None
    with opened(store) as database:
        roots, places = _former_roots(database, home), _places(database, home)
    if not roots:
        return None
    gone = [former for former in roots if not (former / ARTIFACTS).is_dir()]
    return Astray((gone or roots)[0], bool(gone) or any(place.is_lost for place in places))


def problem(home: Path) -> str | None:
    """What keeps artifacts from being found and new ones from being recorded, with the way out; else None."""
    found = astray(home)
    if not found or not found.is_gone:
        return None
    return (
        f"mlflow.db expects artifacts in {found.former / ARTIFACTS}, but they are in {home / ARTIFACTS}; "
        "if this folder was moved, `alexnet track relocate` corrects it"
    )


def relocate(home: Path) -> tuple[int, Path]:
    """Make the default store name the artifacts of its own folder, in one transaction, after a backup.

    A place below a former folder stays as it is where it is found there and not here; other places always do.

    Args:
        home: Folder of the store.

    Returns:
        How many places were changed, and the backup, which is made only where any is.

    Raises:
        AlexNetError: There is no default store, another one is in use, or a pipeline run is being recorded.
    """
    store = default_store(home)
    if store is None:
        raise AlexNetError(
            f"MLFLOW_TRACKING_URI is {without_password(tracking_uri(home))}, and only {home / 'mlflow.db'} can be "
            "corrected; unset it"
        )
    if not store.is_file():
        raise AlexNetError(f"{store} does not exist, so there is nothing to correct; run `dvc repro` first")
    if not uploads.wait(home, _PATIENCE_SECONDS):
        raise AlexNetError("a pipeline run is being recorded; run `alexnet track relocate` again when it has ended")
    backup = store.with_name(f"{store.name}.before-relocate")
    with opened(store) as database:
        database.execute("BEGIN IMMEDIATE")
        changed = [each for each in _places(database, home) if each.table == "experiments" or not each.is_elsewhere]
        if changed:
            with opened(store) as source, contextlib.closing(sqlite3.connect(backup)) as target:
                source.backup(target)
        for place in changed:
            database.execute(
                f"UPDATE {place.table} SET {place.column} = ? WHERE rowid = ?",
                (place.new, place.row),
            )
        database.execute("COMMIT")
    return len(changed), backup


@contextlib.contextmanager
def opened(store: Path) -> Iterator[sqlite3.Connection]:
    """Open a database; what is not committed when the body ends is undone.

    Raises:
        AlexNetError: It is damaged, or another process keeps it locked.
    """
    try:
        with contextlib.closing(sqlite3.connect(store, timeout=_LOCK_SECONDS, isolation_level=None)) as database:
            yield database
    except sqlite3.OperationalError as error:
        is_held = error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
        way_out = "see its permissions, and `df -h` for its disk"
        if is_held:
            way_out = "try again when the program that has it, for example a backup, has ended"
        raise AlexNetError(f"{store} cannot be used ({error}); {way_out}") from error
    except sqlite3.DatabaseError as error:
        raise AlexNetError(
            f"{store}: expected MLflow's database, found something else or a damaged one ({error}); move it away, and "
            "`alexnet track rebuild` makes another"
        ) from error


def _former_roots(database: sqlite3.Connection, home: Path) -> list[Path]:
    """Name the other folders where `mlflow_client` made experiments; what is recorded is in `mlruns`."""
    if ("experiments", "artifact_location") not in _columns(database):
        return []
    places = (_path(place) for (place,) in database.execute("SELECT artifact_location FROM experiments"))
    roots = {place.parent for place in places if place.name == ARTIFACTS}
    return sorted(root for root in roots if root.resolve() != home.resolve())


def _places(database: sqlite3.Connection, home: Path) -> list[_Place]:
    found = []
    roots = _former_roots(database, home)
    for table, column in _columns(database) if roots else []:
        for row, place in database.execute(f"SELECT rowid, {column} FROM {table}"):
            new = next((moved for former in roots if place and (moved := _moved(place, former, home))), None)
            if new:
                found.append(_Place(table, column, row, place, new))
    return found


def _columns(database: sqlite3.Connection) -> list[tuple[str, str]]:
    """Of the columns that hold places, those that this version of MLflow, or a database that is being made, has."""
    return [
        (table, column)
        for table, column in _PLACES
        if column in {each[1] for each in database.execute(f"PRAGMA table_info({table})")}
    ]


def _moved(place: str, former: Path, home: Path) -> str | None:
    """Write a place below the former folder as one below `home`, URI or path as it is; None where it is not below."""
    old, new = former / ARTIFACTS, home / ARTIFACTS
    for before, after in ((old.as_uri(), new.as_uri()), (str(old), str(new))):
        if place == before or place.startswith(f"{before}/"):
            return after + place[len(before) :]
    return None


def _path(place: str | None) -> Path:
    """Read a place as a path; what is no local one is the path of nothing."""
    parts = urlsplit(place or "")
    return Path(unquote(parts.path)) if parts.scheme == "file" else Path("" if parts.scheme else place or "")
