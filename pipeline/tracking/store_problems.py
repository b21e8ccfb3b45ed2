"""What is wrong with the default store, without MLflow: its import takes seconds, and the way out is not MLflow's."""

import importlib.util
import re
import shlex
from pathlib import Path

from alexnet_tf.errors import AlexNetError
from pipeline.environment.typed import typed
from pipeline.tracking import relocation
from pipeline.tracking.tracking_uri import default_store

_REVISION = re.compile(r"""^(down_)?revision\b.*=\s*["'](\w+)["']""", re.MULTILINE)


def problem(home: Path) -> str | None:
    """What keeps the default store from being used, with the way out; None where nothing does, or there is none.

    It is damaged or in use, of another version of MLflow, or of a folder that was moved.
    """
    return unusable(home) or relocation.problem(home)


def unusable(home: Path) -> str | None:
    """What of `problem` is about the database alone."""
    store = default_store(home)
    if store is None or not store.is_file():
        return None
    try:
        return _of_another_version(store)
    except AlexNetError as error:
        return str(error)


def _of_another_version(store: Path) -> str | None:
    with relocation.opened(store) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        if not {"alembic_version", "experiments"} <= tables:
            return None
        if not database.execute("SELECT 1 FROM experiments LIMIT 1").fetchone():
            return None  # MLflow makes it at this moment, by all the steps of its history
        found = [version for (version,) in database.execute("SELECT version_num FROM alembic_version")]
    revisions, newest = _revisions()
    if not found or newest in (None, *found):
        return None
    path = shlex.quote(str(store))
    if found[0] not in revisions:
        return (
            f"{store.name} was written by a newer MLflow than the one here; install that version, or move {path} away "
            "and make another by `alexnet track rebuild`"
        )
    upgrade = typed(f"mlflow db upgrade {shlex.quote(f'sqlite:///{store}')}")
    return (
        f"{store.name} was written by an older MLflow than the one here; `cp {path} {path}.before-upgrade` and "
        f"`{upgrade}` bring it up to date"
    )


def _revisions() -> tuple[set[str], str | None]:
    """Return the revisions of the database that the installed MLflow knows, and the newest."""
    package = importlib.util.find_spec("mlflow")
    known, before = set(), set()
    for place in (package.submodule_search_locations or []) if package else []:
        for script in (Path(place) / "store/db_migrations/versions").glob("*.py"):
            for is_before, revision in _REVISION.findall(script.read_text(encoding="utf-8")):
                (before if is_before else known).add(revision)
    newest = known - before
    return known, newest.pop() if len(newest) == 1 else None
